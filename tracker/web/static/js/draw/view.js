// Drawing a scene: which picture, which tool, what it counts, and saving it.
import { ask, at, send } from "../api.js";
import { attempt, clock, h, toast } from "../dom.js";
import { t } from "../i18n.js";
import { canvas } from "./canvas.js";
import { panel } from "./panel.js";
import { fromScene, History, newShape, placed, toScene } from "./shapes.js";

const TOOLS = { select: "M5 3l14 8-6 2-3 6z", line: "M4 19L20 5M4 19h.01M20 5h.01", zone: "M5 7l12-3 3 13-13 3z", ignore: "M5 7l12-3 3 13-13 3zM5 7l15 10", plane: "M8 6h8l5 12H3zM5.500 12h13M12 6v12" };
const REST = 120; // milliseconds after a change before it is counted

export function drawView(main, { site, rest }) {
  let stop = () => {};
  let over = false;
  attempt(async () => {
    const easels = await ask("/api/easels");
    if (over) return;
    const key = rest[0] && easels.some((easel) => easel.key === rest[0]) ? rest[0] : easels[0]?.key;
    const choice = h("select", { id: "easel", "aria-label": t("draw_on"), onchange: (event) => (location.hash = `#/draw/${encodeURIComponent(event.target.value)}`) },
      easels.map((easel) => h("option", { value: easel.key, selected: easel.key === key }, easel.title)));
    const chooser = easels.length > 1 ? h("label", { class: "choose" }, h("span", { class: "soft" }, t("draw_on")), choice) : h("span", { class: "soft" }, easels[0]?.title || "");
    const head = h("div", { class: "head" }, h("h1", {}, t("draw")), h("div", { class: "grow" }, chooser));
    main.append(head);
    if (!key) {
      main.append(h("p", { class: "notice" }, t("nothing_to_draw_on")));
      return;
    }
    const easel = await ask(at("easels", key));
    if (!over) stop = editor(main, head, easel, site);
  });
  return () => {
    over = true;
    stop();
  };
}

function editor(main, head, easel, site) {
  const path = at("easels", easel.key);
  const history = new History(fromScene(easel.scene));
  const model = { shapes: history.now, selected: -1, tool: "select", counts: null };
  let saved = JSON.stringify(model.shapes);
  let asking = null;
  let waiting = 0;

  const image = h("img", { alt: t("scene_picture"), draggable: "false", src: `${path}/frame.jpg?v=${Date.now()}` });
  const failed = h("p", { class: "notice", hidden: true }, t("no_picture"));
  image.addEventListener("error", () => {
    image.hidden = true;
    failed.hidden = false;
  });
  const status = h("p", { class: "status", role: "status" });
  const undo = iconButton("undo", "M9 7L4 12l5 5M4 12h10a6 6 0 0 1 6 6", () => back(-1));
  const redo = iconButton("redo", "M15 7l5 5-5 5M20 12H10a6 6 0 0 0-6 6", () => back(1));
  const save = h("button", { type: "button", class: "primary", id: "save", onclick: () => keep() }, t(site.single ? "finish" : "save"));

  const told = {
    changed: () => side.render(),
    settled: () => {
      history.keep(model.shapes);
      refresh();
    },
    select: (index) => {
      model.selected = index;
      refresh(false);
    },
    drawn: (kind, points) => add(newShape(kind, points, model.shapes)),
    remove: (index) => {
      model.shapes.splice(index, 1);
      model.selected = -1;
      told.settled();
    },
    turn: (index) => {
      model.shapes[index].points.reverse();
      told.settled();
    },
  };
  const sheet = canvas(image, model, told);
  const side = panel(model, told);
  const tools = Object.entries(TOOLS).map(([name, shape]) => {
    const button = iconButton(`tool_${name}`, shape, (event) => choose(name, event.detail === 0));
    button.dataset.tool = name;
    button.append(h("span", {}, t(`tool_${name}`)));
    return button;
  });

  function add(shape) {
    if (shape.kind === "plane") model.shapes = model.shapes.filter((one) => one.kind !== "plane");
    model.shapes.push(shape);
    model.selected = model.shapes.length - 1;
    model.tool = "select";
    told.settled();
    // on a phone its keyboard would cover the picture
    if (matchMedia("(pointer: fine)").matches) side.element.querySelector("input[type=text]")?.select();
  }

  function choose(name, byKey) {
    sheet.give_up();
    if (byKey && name !== "select") {
      add(placed(name, model.shapes)); // whoever has no mouse moves its points by arrow keys
      return;
    }
    model.tool = name;
    model.selected = name === "select" ? model.selected : -1;
    refresh(false);
  }

  function back(by) {
    model.shapes = history.step(by);
    model.selected = Math.min(model.selected, model.shapes.length - 1);
    refresh();
  }

  function refresh(again = true) {
    sheet.render();
    side.render();
    undo.disabled = !history.canUndo;
    redo.disabled = !history.canRedo;
    tools.forEach((button) => button.setAttribute("aria-pressed", button.dataset.tool === model.tool));
    save.classList.toggle("dirty", dirty());
    if (again) {
      clearTimeout(waiting);
      waiting = setTimeout(count, REST);
    }
  }

  const dirty = () => JSON.stringify(model.shapes) !== saved;
  const say = (text, bad = false) => {
    status.textContent = text;
    status.classList.toggle("bad", bad);
  };

  async function count() {
    asking?.abort();
    asking = new AbortController();
    try {
      const { counts } = await send(`${path}/count`, toScene(model.shapes, easel.scene), "POST", asking.signal);
      model.counts = counts;
      say(counts ? [t("from_tracks"), t("people_count", { count: counts.people }), ...counts.warnings].join(" · ") : t("no_tracks"));
    } catch (error) {
      if (error.name === "AbortError" || asking.signal.aborted) return;
      model.counts = null;
      say(error.message, true);
    }
    sheet.render();
    side.render();
  }

  async function keep() {
    sheet.finish();
    save.disabled = true;
    await attempt(async () => {
      const answer = await send(path, toScene(model.shapes, easel.scene), "PUT");
      saved = JSON.stringify(model.shapes);
      if (site.single) {
        await send("/api/done", {});
        main.replaceChildren(h("p", { class: "notice" }, t("finished")));
      } else {
        toast(t(answer.note));
        refresh(false);
      }
    });
    save.disabled = false;
  }

  const keys = (event) => {
    const typing = event.target.matches("input, select, textarea");
    const held = event.ctrlKey || event.metaKey;
    if (held && event.key.toLowerCase() === "s") keep();
    else if (typing) return;
    else if (held && event.key.toLowerCase() === "z") back(event.shiftKey ? 1 : -1);
    else if (held && event.key.toLowerCase() === "y") back(1);
    else if (event.key === "Enter" && sheet.drawing()) sheet.finish();
    else if (event.key === "Escape") choose("select", false);
    else if ((event.key === "Delete" || event.key === "Backspace") && model.selected >= 0) told.remove(model.selected);
    else return;
    event.preventDefault();
  };
  const warn = (event) => dirty() && event.preventDefault();
  document.addEventListener("keydown", keys);
  window.addEventListener("beforeunload", warn);

  head.append(save);
  main.append(h("div", { class: "draw" },
    h("section", { class: "card board" }, h("div", { class: "tools", role: "toolbar", "aria-label": t("draw") }, tools, h("span", { class: "space" }), undo, redo),
      sheet.element, failed, timeField(easel, image, path), h("p", { class: "soft small hint" }, t("draw_hint"))),
    h("section", { class: "card list" }, side.element, status)));
  refresh();
  return () => {
    sheet.stop();
    asking?.abort();
    clearTimeout(waiting);
    document.removeEventListener("keydown", keys);
    window.removeEventListener("beforeunload", warn);
  };
}

/** The slider for another frame of a video, or the button for a newer one of a camera. */
function timeField(easel, image, path) {
  const show = (seconds) => (image.src = `${path}/frame.jpg?at=${seconds}&v=${Date.now()}`);
  if (!easel.span) return easel.note !== "saved" ? h("div", { class: "time" }, h("button", { type: "button", onclick: () => show(0) }, t("newer_picture"))) : "";
  const words = h("output", { class: "num" }, clock(0));
  const slider = h("input", { type: "range", id: "at", min: 0, max: easel.span, step: 0.1, value: 0, oninput: () => (words.textContent = clock(slider.value)), onchange: () => show(slider.value) });
  return h("div", { class: "time" }, h("label", { for: "at", class: "soft" }, t("frame_at")), slider, words);
}

function iconButton(words, shape, act) {
  const icon = h("svg", { svg: true, viewBox: "0 0 24 24", width: 20, height: 20, fill: "none", stroke: "currentColor", "stroke-width": 2, "stroke-linejoin": "round", "stroke-linecap": "round", "aria-hidden": "true" },
    h("path", { svg: true, d: shape }));
  return h("button", { type: "button", title: t(words), "aria-label": t(words), onclick: act }, icon);
}
