// One video: the annotated film, a time line of people, counts, and files.
import { ask, at, send } from "./api.js";
import { attempt, clock, h } from "./dom.js";
import { t } from "./i18n.js";
import { timeline } from "./timeline.js";
import { doing } from "./videos.js";

const LOOK = 1000;

export function resultView(main, { rest }) {
  const path = at("videos", rest[0]);
  let over = false;
  let timer = 0;
  let stop = () => {};
  const look = async () => {
    const video = await attempt(() => ask(path));
    if (over) return;
    main.replaceChildren();
    if (!video) {
      main.append(h("p", { class: "notice" }, t("no_page")));
      return;
    }
    const active = video.state === "queued" || video.state === "running";
    const draw = h("a", { class: "button", href: `#/draw/${encodeURIComponent(`video:${video.id}`)}` }, t("draw_lines"));
    main.append(h("div", { class: "head" },
      h("div", { class: "grow" }, h("h1", {}, video.name), h("div", { class: "soft small num" }, `${clock(video.seconds)} · ${video.width} × ${video.height}`)),
      draw, h("a", { class: "button", href: "#/videos" }, "← ", t("all_videos"))));
    if (active || !video.tracked) {
      const cancel = active ? h("button", { type: "button", onclick: () => attempt(() => send(`${path}/cancel`, {})) }, t("cancel")) : null;
      main.append(h("div", { class: "job card" }, h("img", { class: "thumb", src: `${path}/thumb.jpg`, alt: "" }), h("h2", {}, video.name), h("div", { class: "act" }, cancel),
        h("div", { class: "doing" }, h("span", { class: `pill ${video.state}` }, t(video.state)), ...doing(video))));
      if (active) timer = setTimeout(look, LOOK);
      return;
    }
    stop = show(main, video, path);
  };
  look();
  return () => {
    over = true;
    clearTimeout(timer);
    stop();
  };
}

function show(main, video, path) {
  const film = h("video", { src: `${path}/files/video`, controls: true, playsinline: true, preload: "metadata" });
  const line = timeline(video, film);
  const { lines, zones, warnings } = video.counts;
  const groups = new Map();
  lines.forEach((one) => groups.set(one.line, [...(groups.get(one.line) || []), one]));
  const range = (one) => (one.low === one.high ? "" : h("span", { class: "soft" }, ` (${one.low}–${one.high})`));
  const rows = [
    ...[...groups].map(([name, ways]) => h("tr", {}, h("th", { scope: "row" }, h("span", { class: "key" }), name),
      h("td", {}, ways.map((one) => h("span", { class: "way" }, `${one.direction} `, h("span", { class: "num" }, one.count), range(one)))))),
    ...zones.map((zone) => h("tr", {}, h("th", { scope: "row" }, h("span", { class: "key zone" }), zone.zone),
      h("td", {}, t("dwell", { count: zone.visits, dwell: zone.dwell ?? 0 })))),
  ];
  const files = video.files.map((file) => h("li", {}, h("a", { href: `${path}/files/${file.kind}?download=true`, download: true },
    h("span", {}, t(`file_${file.kind}`)), h("span", { class: "soft small num" }, bytes(file.bytes)))));
  main.append(h("div", { class: "result" },
    h("section", { class: "player card" }, film, h("div", { class: "pad", style: { paddingTop: "14px" } }, h("h2", {}, t("people_count", { count: video.timeline.length })), h("p", { class: "soft small" }, t("people_hint"))), line.element),
    h("div", { class: "side" },
      h("section", { class: "card" }, h("h2", {}, t("counted")),
        rows.length ? h("table", { class: "counts" }, h("tbody", {}, rows)) : h("p", { class: "soft pad" }, t("no_lines")),
        warnings.map((warning) => h("p", { class: "small pad soft" }, warning))),
      h("section", { class: "card" }, h("h2", {}, t("downloads")),
        h("p", { class: "pad", style: { paddingBottom: "12px" } }, h("a", { class: "button primary", href: `${path}/files/report`, target: "_blank", rel: "noopener" }, t("report"))),
        h("ul", { class: "downloads" }, files)))));
  return () => {
    line.stop();
    film.removeAttribute("src");
    film.load();
  };
}

const bytes = (count) => (count >= 1e6 ? `${(count / 1e6).toFixed(1)} MB` : `${Math.max(1, Math.round(count / 1e3))} kB`);
