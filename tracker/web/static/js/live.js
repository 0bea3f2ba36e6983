// Cameras: picture, figures, counts, and the events of all of them.
import { ask, at } from "./api.js";
import { clock, h } from "./dom.js";
import { t } from "./i18n.js";

const STREAMS = 2; // browsers open six connections to a server at most, and a stream keeps one
const SNAPSHOT = 700; // milliseconds between the pictures of cameras beyond
const STATUS = 1000;
const MOST_EVENTS = 60;

export function liveView(main, { rest }) {
  const chosen = rest[0];
  const cards = new Map();
  const grid = h("div", { class: "cameras" });
  const list = h("ol", { "aria-live": "off" });
  const none = h("p", { class: "notice" }, t("no_events"));
  const events = h("section", { class: "events card" }, h("h2", {}, t("events")), none, list);
  const back = chosen ? h("a", { class: "button", href: "#/live" }, "← ", t("all_cameras")) : null;
  main.append(h("div", { class: "head" }, h("h1", { class: "grow" }, t("live")), back), h("div", { class: "live" }, grid, events));

  let over = false;
  let timer = 0;
  let source = null;
  const say = (event) => {
    none.hidden = true;
    const when = event.time ? new Date(event.time).toLocaleTimeString() : clock(event.seconds || 0);
    const camera = cards.size > 1 ? h("span", { class: "soft" }, `${event.camera} · `) : null;
    list.prepend(h("li", {}, h("time", {}, when), h("span", {}, camera, sentence(event))));
    while (list.childElementCount > MOST_EVENTS) list.lastElementChild.remove();
  };
  const listen = () => {
    source = new EventSource(list.childElementCount ? "/api/events" : "/api/events?recent=20");
    source.onmessage = (message) => {
      const event = JSON.parse(message.data);
      if (!chosen || event.camera === chosen) say(event);
    };
  };
  const look = async () => {
    try {
      const all = await ask("/api/cameras");
      if (over) return;
      const wanted = all.filter((camera) => !chosen || camera.name === chosen);
      grid.classList.toggle("one", wanted.length === 1);
      for (const camera of wanted) {
        if (!cards.has(camera.name)) {
          cards.set(camera.name, cameraCard(camera, wanted.length <= STREAMS, all.length > 1 && !chosen));
          grid.append(cards.get(camera.name).element);
        }
        cards.get(camera.name).update(camera);
      }
      if (!wanted.length) grid.replaceChildren(h("p", { class: "notice" }, t("no_cameras")));
    } catch {
      cards.forEach((card) => card.unreachable());
    }
    if (!over) timer = setTimeout(look, STATUS);
  };
  // a page that nobody sees gives its connections back
  const visible = () => {
    if (document.hidden) {
      source?.close();
      cards.forEach((card) => card.stop());
    } else if (!over) {
      if (!source || source.readyState === EventSource.CLOSED) listen();
      cards.forEach((card) => card.start());
    }
  };
  document.addEventListener("visibilitychange", visible);
  listen();
  look();
  return () => {
    over = true;
    clearTimeout(timer);
    source?.close();
    cards.forEach((card) => card.stop());
    document.removeEventListener("visibilitychange", visible);
  };
}

function sentence(event) {
  const values = { ...event, dwell: event.dwell === undefined ? "" : Math.round(event.dwell), gap: event.gap === undefined ? "" : Math.round(event.gap) };
  return t(`event_${event.event}`, values).replace(/^event_/, "");
}

function cameraCard(camera, streamed, linked) {
  const image = h("img", { class: "empty", alt: t("picture_of", { name: camera.title }) });
  const words = h("span", {}, t("waiting"));
  const view = h("div", { class: "view" }, words, image);
  const pill = h("span", { class: "pill" });
  const figures = h("div", { class: "figures" });
  const counts = h("tbody");
  const problem = h("p", { class: "error", hidden: true });
  const title = linked ? h("a", { href: `#/live/${encodeURIComponent(camera.name)}` }, camera.title) : camera.title;
  const element = h("article", { class: "camera card" },
    h("div", { class: "camera-head" }, h("h2", {}, title), pill), view, figures, problem, h("table", { class: "counts" }, counts));

  let timer = 0;
  let running = false;
  let retry = 0;
  const path = at("cameras", camera.name);
  const next = () => {
    clearTimeout(timer);
    if (running) image.src = streamed ? `${path}/stream.mjpg?${Date.now()}` : `${path}/snapshot.jpg?${Date.now()}`;
  };
  image.addEventListener("load", () => {
    retry = 0;
    image.classList.remove("empty");
    if (image.naturalWidth) view.style.aspectRatio = `${image.naturalWidth} / ${image.naturalHeight}`;
    if (!streamed) timer = setTimeout(next, SNAPSHOT);
  });
  image.addEventListener("error", () => {
    if (running) timer = setTimeout(next, Math.min(5000, 500 * 2 ** retry++));
  });
  const start = () => {
    if (running) return;
    running = true;
    next();
  };
  const stop = () => {
    running = false;
    clearTimeout(timer);
    image.src = "data:,"; // closes the connection of a stream
  };
  const state = (name) => {
    pill.className = `pill ${name}`;
    pill.textContent = t(name);
  };
  let drawn = "";
  const update = (now) => {
    state(now.state);
    words.textContent = t(now.private ? "private_camera" : now.state === "waiting" ? "waiting" : "no_picture");
    if (now.state === "lost" || now.state === "failed") view.style.opacity = 0.55;
    else view.style.opacity = 1;
    problem.hidden = !now.error;
    problem.textContent = now.error || "";
    const figure = (value, key, lesser) => h("div", { class: lesser ? "figure lesser" : "figure" }, h("b", {}, value), h("span", {}, t(key)));
    figures.replaceChildren(
      figure(now.people, "people_now"), now.people_seen === null ? "" : figure(now.people_seen, "people_seen"),
      figure(now.frame_rate.toFixed(1), "frame_rate", true),
      now.lag === null ? "" : figure(`${now.lag.toFixed(2)} s`, "lag", true),
      now.live ? figure(now.dropped, "dropped", true) : figure(clock(now.seconds), "video_time", true));
    const shown = JSON.stringify([now.lines, now.zones]);
    if (shown !== drawn) {
      drawn = shown;
      counts.replaceChildren(
        ...now.lines.map((line) => h("tr", {}, h("th", { scope: "row" }, h("span", { class: "key" }), line.line),
          h("td", {}, line.directions.map((way) => h("span", { class: "way" }, `${way.direction} `, h("span", { class: "num" }, way.count)))))),
        ...now.zones.map((zone) => h("tr", {}, h("th", { scope: "row" }, h("span", { class: "key zone" }), zone.zone),
          h("td", {}, `${t("inside")} `, h("span", { class: "num" }, zone.inside)))));
    }
    if (!now.private && now.state !== "waiting" && !document.hidden) start();
  };
  return { element, update, start: () => camera.state !== "waiting" && start(), stop, unreachable: () => state("unreachable") };
}
