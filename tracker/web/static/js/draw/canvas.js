// The picture with the shapes over it: points are dragged, added in the middle of a side, and drawn one after the other.
import { h } from "../dom.js";
import { t } from "../i18n.js";
import { LEAST } from "./shapes.js";

const NEAR = 12; // pixels within which a click is on the first point again
const STEP = 0.005; // of the picture that an arrow key moves a point

const s = (tag, properties, ...children) => h(tag, { svg: true, ...properties }, ...children);
const clamp = (value) => Math.min(1, Math.max(0, value));
const tidy = (point) => point.map((value) => Math.round(clamp(value) * 1e4) / 1e4);

/**
 * model: {shapes, selected, tool, counts}; told.changed() while something moves, told.settled() once it rests,
 * told.select(index), told.drawn(kind, points), told.tool(name).
 */
export function canvas(image, model, told) {
  const svg = s("svg", { class: "sheet", role: "group", "aria-label": t("scene_picture") });
  const stage = h("div", { class: "stage" }, image, svg);
  image.addEventListener("load", () => (stage.style.width = `min(100%, calc(74vh * ${image.naturalWidth / image.naturalHeight}))`));
  let size = [1, 1];
  let begun = []; // points of the shape that is being drawn
  let pointer = null;
  let drag = null;

  const pixel = ([x, y]) => [x * size[0], y * size[1]];
  const place = (event) => {
    const box = svg.getBoundingClientRect();
    return tidy([(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height]);
  };
  const path = (points) => points.map((point) => pixel(point).join(",")).join(" ");

  function render() {
    const focus = svg.contains(document.activeElement) ? document.activeElement.dataset.point : null;
    svg.setAttribute("viewBox", `0 0 ${size[0]} ${size[1]}`);
    svg.classList.toggle("drawing", model.tool !== "select");
    const order = model.shapes.map((_, index) => index).sort((a, b) => (a === model.selected) - (b === model.selected));
    svg.replaceChildren(...order.map((index) => shape(model.shapes[index], index)), ...sketch());
    if (focus) svg.querySelector(`[data-point="${focus}"]`)?.focus({ preventScroll: true });
  }

  function shape(one, index) {
    const chosen = index === model.selected;
    const body = s(one.kind === "line" ? "polyline" : "polygon", { points: path(one.points), class: "outline" });
    const wide = s(one.kind === "line" ? "polyline" : "polygon", { points: path(one.points), class: "grip" });
    const group = s("g", { class: `shape ${one.kind} ${chosen ? "chosen" : ""}`, "data-index": index }, body, wide);
    if (one.kind === "line") group.append(...arrow(one));
    if (one.kind === "zone") group.append(label(top(one.points), one.name + zoneCount(one)));
    wide.addEventListener("pointerdown", (event) => {
      if (model.tool !== "select") return;
      event.stopPropagation();
      told.select(index);
      start(event, { index, whole: structuredClone(one.points), from: place(event) });
    });
    if (chosen) group.append(...handles(one, index));
    return group;
  }

  const top = (points) => points.reduce((best, point) => (point[1] < best[1] ? point : best));
  const counted = (kind, name) => (model.counts?.[kind] || []).filter((row) => row[kind.slice(0, -1)] === name);
  const zoneCount = (one) => counted("zones", one.name).map((row) => ` ${row.visits}`).join("");

  /** The arrow points from left to right of whoever walks along the line, where the direction "in" goes. */
  function arrow(one) {
    const points = one.points.map(pixel);
    const lengths = points.slice(1).map(([x, y], i) => Math.hypot(x - points[i][0], y - points[i][1]));
    let rest = lengths.reduce((a, b) => a + b, 0) / 2;
    let side = 0;
    while (side < lengths.length - 1 && rest > lengths[side]) rest -= lengths[side++];
    const [[x0, y0], [x1, y1]] = [points[side], points[side + 1]];
    const length = lengths[side] || 1;
    const [ax, ay] = [(x1 - x0) / length, (y1 - y0) / length];
    const [mx, my] = [x0 + ax * rest, y0 + ay * rest];
    const long = Math.max(22, (size[0] + size[1]) * 0.022);
    const [tx, ty] = [mx - ay * long, my + ax * long];
    const wing = (turn) => {
      const angle = Math.atan2(ty - my, tx - mx) + turn;
      return `${tx - 9 * Math.cos(angle)},${ty - 9 * Math.sin(angle)}`;
    };
    const number = (direction) => counted("lines", one.name).filter((row) => row.direction === direction).map((row) => ` ${row.count}`).join("");
    return [
      s("line", { x1: mx, y1: my, x2: tx, y2: ty, class: "arrow" }),
      s("polyline", { points: `${wing(0.5)} ${tx},${ty} ${wing(-0.5)}`, class: "arrow" }),
      label([(tx - ay * 10) / size[0], (ty + ax * 12) / size[1]], one.in + number(one.in), -ay),
      label([(mx + ay * 12) / size[0], (my - ax * 18) / size[1]], one.out + number(one.out), ay),
    ];
  }

  /** A text at a point; one that lies to the side of a line, by `aside` from -1 to 1, ends or begins there. */
  function label(point, text, aside = 0) {
    const [x, y] = pixel(point);
    const anchor = aside > 0.5 ? "start" : aside < -0.5 ? "end" : "middle";
    const made = s("text", { x, y: Math.min(Math.max(y, 14), size[1] - 8), class: "label", "text-anchor": anchor }, text);
    // kept in the picture once it is known how wide it is
    requestAnimationFrame(() => {
      if (!made.isConnected) return;
      const box = made.getBBox();
      const by = Math.max(4 - box.x, 0) + Math.min(size[0] - 4 - box.x - box.width, 0);
      if (by) made.setAttribute("x", x + by);
    });
    return made;
  }

  function handles(one, index) {
    const closed = one.kind !== "line";
    const made = [];
    if (one.kind !== "plane") {
      one.points.forEach((point, at) => {
        const next = one.points[at + 1] || (closed ? one.points[0] : null);
        if (!next) return;
        const middle = [(point[0] + next[0]) / 2, (point[1] + next[1]) / 2];
        const [x, y] = pixel(middle);
        const more = s("circle", { cx: x, cy: y, r: 5, class: "between" });
        more.addEventListener("pointerdown", (event) => {
          if (model.tool !== "select") return;
          event.stopPropagation();
          one.points.splice(at + 1, 0, tidy(middle));
          start(event, { index, at: at + 1 });
        });
        made.push(more);
      });
    }
    one.points.forEach((point, at) => {
      const [x, y] = pixel(point);
      const handle = s("circle", { cx: x, cy: y, r: 8, class: "handle", tabindex: 0, role: "button", "data-point": `${index}-${at}`, "aria-label": `${one.name || t(`tool_${one.kind}`)} ${at + 1}. ${t("point_help")}` });
      handle.addEventListener("pointerdown", (event) => {
        if (model.tool !== "select") return;
        event.stopPropagation();
        start(event, { index, at });
      });
      handle.addEventListener("keydown", (event) => key(event, one, at));
      made.push(handle);
      if (one.kind === "plane") made.push(s("text", { x: x + 12, y: y - 8, class: "label number" }, String(at + 1)));
    });
    return made;
  }

  function key(event, one, at) {
    const by = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (by) {
      const far = event.shiftKey ? 10 : 1;
      one.points[at] = tidy(one.points[at].map((value, axis) => value + by[axis] * STEP * far));
    } else if ((event.key === "Delete" || event.key === "Backspace") && one.kind !== "plane" && one.points.length > LEAST[one.kind]) {
      one.points.splice(at, 1);
    } else return;
    event.preventDefault();
    event.stopPropagation();
    render();
    told.settled();
  }

  function start(event, what) {
    event.preventDefault();
    drag = what;
    svg.setPointerCapture(event.pointerId);
    render();
  }

  /** The shape that is being drawn, with the way to the pointer. */
  function sketch() {
    if (!begun.length) return [];
    const points = pointer ? [...begun, pointer] : begun;
    return [s("polyline", { points: path(points), class: `sketch ${model.tool}` }), ...begun.map((point) => {
      const [x, y] = pixel(point);
      return s("circle", { cx: x, cy: y, r: 5, class: "handle" });
    })];
  }

  function finish() {
    const kind = model.tool;
    if (kind === "select" || begun.length < LEAST[kind]) return;
    const points = begun;
    begun = [];
    pointer = null;
    told.drawn(kind, points);
  }

  function give_up() {
    begun = [];
    pointer = null;
    render();
  }

  svg.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    if (model.tool === "select") {
      told.select(-1);
      return;
    }
    event.preventDefault();
    const point = place(event);
    const [x, y] = pixel(point);
    const near = (other) => Math.hypot(pixel(other)[0] - x, pixel(other)[1] - y) < NEAR;
    // the first point again closes a polygon, the last one again ends a line, as a double click does
    if (begun.length >= LEAST[model.tool] && (near(begun.at(-1)) || (model.tool !== "line" && near(begun[0])))) {
      finish();
      return;
    }
    if (begun.length && near(begun.at(-1))) return;
    begun.push(point);
    if (model.tool === "plane" && begun.length === LEAST.plane) finish();
    else render();
  });
  svg.addEventListener("pointermove", (event) => {
    if (drag) {
      const one = model.shapes[drag.index];
      const now = place(event);
      if (drag.whole) {
        const limit = (axis) => {
          const values = drag.whole.map((point) => point[axis]);
          return Math.min(Math.max(now[axis] - drag.from[axis], -Math.min(...values)), 1 - Math.max(...values));
        };
        const by = [limit(0), limit(1)];
        one.points = drag.whole.map((point) => tidy([point[0] + by[0], point[1] + by[1]]));
      } else one.points[drag.at] = now;
      render();
      told.changed();
    } else if (begun.length) {
      pointer = place(event);
      render();
    }
  });
  const release = () => {
    if (!drag) return;
    drag = null;
    told.settled();
  };
  svg.addEventListener("pointerup", release);
  svg.addEventListener("pointercancel", release);

  const watch = new ResizeObserver(() => {
    size = [Math.max(1, svg.clientWidth), Math.max(1, svg.clientHeight)];
    render();
  });
  watch.observe(svg);
  return { element: stage, render, finish, give_up, drawing: () => begun.length > 0, stop: () => watch.disconnect() };
}
