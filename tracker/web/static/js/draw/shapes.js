// What is drawn: shapes as plain objects, to and from a scene, and the way back.
// A shape: {kind: line | zone | ignore | plane, name, points: [[x, y], ...] in fractions, and what its kind has beside.
import { t } from "../i18n.js";

export const LEAST = { line: 2, zone: 3, ignore: 3, plane: 4 };

export function fromScene(scene) {
  const named = (kind, all = {}) => Object.entries(all).map(([name, one]) => ({ kind, name, ...structuredClone(one) }));
  const shapes = [...named("line", scene.lines), ...named("zone", scene.zones)];
  (scene.ignore || []).forEach((points) => shapes.push({ kind: "ignore", name: "", points: structuredClone(points) }));
  if (scene.plane) shapes.push({ kind: "plane", name: "", ...structuredClone(scene.plane) });
  return shapes;
}

/** The scene of the shapes; what the page does not draw stays as it was. */
export function toScene(shapes, before) {
  const scene = { lines: {}, zones: {} };
  if (before.only) scene.only = before.only;
  for (const { kind, name, ...rest } of shapes) {
    if (kind === "line") scene.lines[name] = rest;
    else if (kind === "zone") scene.zones[name] = rest;
    else if (kind === "ignore") scene.ignore = [...(scene.ignore || []), rest.points];
    else scene.plane = { points: rest.points, metres: rest.metres };
  }
  // a door that is gone, or has another name now, is no door any more
  Object.values(scene.zones).forEach((zone) => zone.doors && (zone.doors = zone.doors.filter((door) => door in scene.lines)));
  return scene;
}

export function newShape(kind, points, shapes) {
  const fresh = (key) => {
    let n = 1;
    while (shapes.some((shape) => shape.kind === kind && shape.name === t(key, { n }))) n++;
    return t(key, { n });
  };
  if (kind === "line") return { kind, name: fresh("new_line"), points, in: t("in"), out: t("out") };
  if (kind === "zone") return { kind, name: fresh("new_zone"), points };
  if (kind === "ignore") return { kind, name: "", points };
  return { kind, name: "", points, metres: [[0, 0], [4, 0], [4, 6], [0, 6]] };
}

/** A shape in the middle of the picture, for those who draw without a mouse. */
export function placed(kind, shapes) {
  const shift = 0.03 * (shapes.filter((shape) => shape.kind === kind).length % 8);
  const box = [[0.35, 0.4], [0.65, 0.4], [0.65, 0.7], [0.35, 0.7]];
  const points = kind === "line" ? [[0.3, 0.55], [0.7, 0.55]] : box;
  return newShape(kind, points.map(([x, y]) => [x + shift, y + shift]), shapes);
}

/** The states of a drawing, one after the other. */
export class History {
  constructor(shapes) {
    this.states = [JSON.stringify(shapes)];
    this.place = 0;
  }

  get now() {
    return JSON.parse(this.states[this.place]);
  }

  keep(shapes) {
    const state = JSON.stringify(shapes);
    if (state === this.states[this.place]) return false;
    this.states = [...this.states.slice(0, this.place + 1), state].slice(-200);
    this.place = this.states.length - 1;
    return true;
  }

  step(by) {
    this.place = Math.min(Math.max(this.place + by, 0), this.states.length - 1);
    return this.now;
  }

  get canUndo() {
    return this.place > 0;
  }

  get canRedo() {
    return this.place < this.states.length - 1;
  }
}
