// A bar for every person from the first to the last sight, packed into few rows; a click goes there in the film.
import { clock, h } from "./dom.js";
import { t } from "./i18n.js";

const ROW = 22; // pixels

export function timeline(video, film) {
  const length = Math.max(video.seconds, ...video.timeline.map((person) => person.last), 0.1);
  const share = (seconds) => `${(100 * seconds) / length}%`;
  const go = (seconds, play = true) => {
    film.currentTime = Math.max(0, seconds);
    if (play) film.play().catch(() => {});
  };
  const ends = []; // of the last bar in every row
  const bars = [...video.timeline].sort((a, b) => a.first - b.first || a.id - b.id).map((person) => {
    const gap = length / 200;
    let row = ends.findIndex((end) => end + gap <= person.first);
    if (row < 0) row = ends.length;
    ends[row] = Math.max(person.last, person.first + length / 60);
    const label = t("person_bar", { id: person.id, from: clock(person.first), to: clock(person.last) });
    return h("button", {
      type: "button", class: "person", title: label, "aria-label": label, onclick: () => go(person.first),
      style: { left: share(person.first), width: share(person.last - person.first), top: `${row * ROW + 2}px`, background: person.color },
    }, String(person.id));
  });
  const marks = video.crossings.map((one) => h("div", { class: "mark", style: { left: share(one.seconds), height: "100%" } }));
  const now = h("div", { class: "now", style: { left: "0" } });
  const inner = h("div", { style: { position: "relative", height: `${Math.max(1, ends.length) * ROW + 2}px`, minHeight: "100%" } }, marks, bars, now);
  const lanes = h("div", { class: "lanes" }, inner);
  const steps = length < 5 ? 2 : 5;
  const scale = h("div", { class: "scale num", onclick: (event) => {
    const box = scale.getBoundingClientRect();
    go(((event.clientX - box.left) / box.width) * length, false);
  } }, Array.from({ length: steps + 1 }, (_, step) => h("span", { style: { left: share((step * length) / steps) } }, clock((step * length) / steps))));
  let waiting = 0;
  const follow = () => {
    now.style.left = share(Math.min(film.currentTime, length));
    if (!film.paused) waiting = requestAnimationFrame(follow);
  };
  ["play", "seeked", "timeupdate"].forEach((name) => film.addEventListener(name, () => {
    cancelAnimationFrame(waiting);
    follow();
  }));
  return { element: h("div", { class: "timeline" }, scale, lanes), stop: () => cancelAnimationFrame(waiting) };
}
