// The list beside the picture: names, directions, limits and counts of what is drawn.
import { h } from "../dom.js";
import { t } from "../i18n.js";

/** told.settled() after a change, told.select(index), told.remove(index), told.turn(index). */
export function panel(model, told) {
  const element = h("div", { class: "panel" });
  let built = null; // the shapes that it was built of
  let updates = [];

  /** Build the list anew, or only write new values into it: whoever is at a field of it stays there. */
  function render() {
    const same = built && built.selected === model.selected && built.shapes.length === model.shapes.length && built.shapes.every((one, at) => one === model.shapes[at]);
    if (same) {
      updates.forEach((update) => update());
      return;
    }
    built = { selected: model.selected, shapes: [...model.shapes] };
    updates = [];
    const active = element.contains(document.activeElement) ? document.activeElement.id : null;
    const groups = [["line", "lines"], ["zone", "zones"], ["ignore", "ignored"], ["plane", "plane"]].map(([kind, title]) => {
      const rows = model.shapes.map((one, index) => [one, index]).filter(([one]) => one.kind === kind);
      return rows.length ? h("section", {}, h("h3", {}, t(title)), rows.map(([one, index], number) => row(one, index, number + 1))) : null;
    });
    element.replaceChildren(...groups.filter(Boolean));
    if (!model.shapes.length) element.append(h("p", { class: "soft pad nothing" }, t("nothing_drawn")));
    if (active) document.getElementById(active)?.focus({ preventScroll: true });
  }

  function row(one, index, number) {
    const chosen = index === model.selected;
    const title = h("span", { class: "grow" });
    const count = h("span", { class: "num" });
    const update = () => {
      title.textContent = one.name || (one.kind === "ignore" ? t("region", { n: number }) : t("plane"));
      count.textContent = numbers(one);
    };
    updates.push(update);
    update();
    const head = h("button", { type: "button", class: "row-head", id: `row-${index}`, "aria-expanded": chosen ? "true" : "false", onclick: () => told.select(chosen ? -1 : index) },
      h("span", { class: `key ${one.kind}` }), title, count);
    if (!chosen) return h("div", { class: "row" }, head);
    const fields = { line: lineFields, zone: zoneFields, plane: planeFields }[one.kind]?.(one, index) || [];
    return h("div", { class: "row chosen" }, head, h("div", { class: "fields" }, fields,
      h("div", { class: "act" }, one.kind === "line" ? h("button", { type: "button", id: "turn", onclick: () => told.turn(index) }, "⇄ ", t("turn")) : null,
        h("button", { type: "button", class: "danger", onclick: () => told.remove(index) }, t("delete")))));
  }

  function numbers(one) {
    if (!model.counts) return "";
    if (one.kind === "line") return model.counts.lines.filter((row) => row.line === one.name).map((row) => `${row.direction} ${row.count}`).join(" · ");
    if (one.kind === "zone") return model.counts.zones.filter((row) => row.zone === one.name).map((row) => t("dwell", { count: row.visits, dwell: row.dwell ?? 0 })).join("");
    return "";
  }

  function field(words, get, set, more = {}) {
    const id = `field-${words.replace(/\W+/g, "-")}-${more.key ?? ""}`;
    const input = h("input", { id, value: get(), type: "text", maxlength: 60, autocomplete: "off", ...more, onchange: (event) => {
      set(event.target.value);
      told.settled();
    } });
    updates.push(() => document.activeElement !== input && (input.value = get()));
    return h("label", { for: id }, h("span", {}, words), input);
  }

  const lineFields = (one, index) => [
    field(t("name"), () => one.name, (value) => rename(one, value)),
    h("div", { class: "pair" }, field(t("to_arrow"), () => one.in, (value) => (one.in = value.trim() || one.in)), field(t("against_arrow"), () => one.out, (value) => (one.out = value.trim() || one.out))),
  ];
  const number = (one, name) => (value) => {
    if (value.trim() && +value > 0) one[name] = +value;
    else delete one[name];
  };
  const zoneFields = (one) => [
    field(t("name"), () => one.name, (value) => rename(one, value)),
    h("div", { class: "pair" },
      field(t("loitering"), () => one.loitering ?? "", number(one, "loitering"), { type: "number", min: 0, inputmode: "decimal" }),
      field(t("crowd"), () => one.crowd ?? "", number(one, "crowd"), { type: "number", min: 0, step: 1, inputmode: "numeric" })),
  ];
  const planeFields = (one) => [
    h("p", { class: "soft small" }, t("plane_hint")),
    ...one.metres.map((place, at) => h("div", { class: "pair" }, ["point_x", "point_y"].map((words, axis) =>
      field(t(words, { n: at + 1 }), () => place[axis], (value) => (place[axis] = Number.isFinite(+value) ? +value : place[axis]), { type: "number", step: "any", key: `${at}-${axis}` })))),
  ];

  /** Two of a kind never have one name, for the second would replace the first. */
  function rename(one, value) {
    const name = value.trim();
    if (name && !model.shapes.some((other) => other !== one && other.kind === one.kind && other.name === name)) {
      if (one.kind === "line") model.shapes.forEach((zone) => zone.doors && (zone.doors = zone.doors.map((door) => (door === one.name ? name : door))));
      one.name = name;
    }
  }

  return { element, render };
}
