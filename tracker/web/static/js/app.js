// The frame of the page: navigation, language, and one view at a time by the address after #.
import { ask } from "./api.js";
import { h, toast } from "./dom.js";
import { language, setLanguage, t } from "./i18n.js";
import { drawView } from "./draw/view.js";
import { liveView } from "./live.js";
import { resultView } from "./result.js";
import { videosView } from "./videos.js";

const main = document.getElementById("main");
let site = null;
let leave = () => {};

const PARTS = { live: liveView, videos: videosView, draw: drawView };

function route() {
  const [part, ...rest] = location.hash.replace(/^#\/?/, "").split("/").filter(Boolean).map(decodeURIComponent);
  return { part: part || site.parts[0] || "", rest };
}

function show(focus = true) {
  leave();
  leave = () => {};
  const { part, rest } = route();
  document.title = part ? `${t(part)} · ${site.title}` : site.title;
  nav(part);
  main.replaceChildren();
  const view = part === "videos" && rest.length ? resultView : PARTS[part];
  if (!view) {
    main.append(h("p", { class: "notice" }, t(site.parts.length ? "no_page" : "nothing_here")));
    return;
  }
  leave = view(main, { site, rest }) || (() => {});
  if (focus) main.focus({ preventScroll: true });
  window.scrollTo(0, 0);
}

function nav(current) {
  const links = site.parts.map((part) =>
    h("a", { href: `#/${part}`, "aria-current": part === current ? "page" : null }, t(part)));
  document.getElementById("nav").replaceChildren(...(site.single && links.length < 2 ? [] : links));
  document.getElementById("title").textContent = site.title === "Pedestrians" ? t("brand") : site.title;
  const other = document.getElementById("language");
  other.textContent = language === "zh" ? "English" : "中文";
  other.lang = language === "zh" ? "en" : "zh";
  document.querySelectorAll("[data-t]").forEach((element) => (element.textContent = t(element.dataset.t)));
}

document.getElementById("language").addEventListener("click", () => {
  setLanguage(language === "zh" ? "en" : "zh");
  show(false);
});

setLanguage(language);
try {
  site = await ask("/api/site");
  window.addEventListener("hashchange", () => show());
  show(false);
} catch (error) {
  main.replaceChildren(h("p", { class: "notice" }, error.message));
  toast(error.message, true);
}
