// The list of videos: upload, progress, cancel, remove.
import { ask, at, send } from "./api.js";
import { attempt, clock, h, toast } from "./dom.js";
import { t } from "./i18n.js";

const LOOK = 1000; // milliseconds between two looks at the list

export function videosView(main, { site }) {
  let over = false;
  let timer = 0;
  const uploads = new Set();
  const list = h("div", { class: "jobs" });
  const sending = h("div", { class: "jobs" });
  const empty = h("p", { class: "notice", hidden: true }, t("no_videos"));

  const look = async () => {
    clearTimeout(timer);
    try {
      const videos = await ask("/api/videos");
      if (over) return;
      update(list, videos, look);
      empty.hidden = videos.length + uploads.size > 0;
    } catch (error) {
      toast(error.message, true);
    }
    if (!over) timer = setTimeout(look, LOOK);
  };
  const take = (files) => [...files].forEach((file) => upload(file, sending, uploads, look, site));

  main.append(h("div", { class: "head" }, h("h1", { class: "grow" }, t("videos"))), dropField(site, take, look), sending, list, empty);
  look();
  const warn = (event) => uploads.size && event.preventDefault();
  window.addEventListener("beforeunload", warn);
  return () => {
    over = true;
    clearTimeout(timer);
    window.removeEventListener("beforeunload", warn);
    uploads.forEach((request) => request.abort());
  };
}

function dropField(site, take, look) {
  const input = h("input", { type: "file", accept: "video/*,.mkv,.ts,.avi,.flv", multiple: true, hidden: true, id: "file", onchange: (event) => {
    take(event.target.files);
    event.target.value = "";
  } });
  const limits = { size: megabytes(site.limits.max_upload), length: clock(site.limits.max_length) };
  const box = h("div", { class: "drop" },
    h("div", { class: "grow" }, h("h2", {}, t("drop_here")), h("p", { class: "soft small" }, t("drop_limits", limits))),
    site.limits.allow_sources ? fetchForm(look) : null,
    input, h("button", { type: "button", class: "primary", onclick: () => input.click() }, t("choose_file")));
  let depth = 0;
  box.addEventListener("dragenter", () => box.classList.toggle("over", ++depth > 0));
  box.addEventListener("dragleave", () => box.classList.toggle("over", --depth > 0));
  box.addEventListener("dragover", (event) => event.preventDefault());
  box.addEventListener("drop", (event) => {
    event.preventDefault();
    depth = 0;
    box.classList.remove("over");
    take(event.dataTransfer.files);
  });
  return box;
}

function fetchForm(look) {
  const field = h("input", { type: "url", placeholder: "https://", "aria-label": t("address"), required: true });
  return h("form", { class: "fetch", onsubmit: (event) => {
    event.preventDefault();
    attempt(async () => {
      const name = field.value.split(/[?#]/)[0].split("/").pop() || field.value;
      await send("/api/videos/fetch", { address: field.value, name: name.slice(0, 200) });
      field.value = "";
      look();
    });
  } }, field, h("button", {}, t("fetch")));
}

export const megabytes = (size) => (size >= 1000 ? `${+(size / 1000).toFixed(1)} GB` : `${+size.toFixed(1)} MB`);

/** Send a file; fetch cannot tell how far it is, the older XMLHttpRequest can. */
function upload(file, sending, uploads, look, site) {
  if (file.size > site.limits.max_upload * 1e6) {
    toast(t("too_large", { name: file.name, size: megabytes(site.limits.max_upload) }), true);
    return;
  }
  const request = new XMLHttpRequest();
  const bar = h("progress", { max: 1, value: 0, "aria-label": t("uploading") });
  const words = h("span", { class: "soft small num" }, "0 %");
  const row = h("article", { class: "job card" }, h("div", { class: "thumb" }), h("h2", {}, file.name),
    h("div", { class: "act" }, h("button", { type: "button", onclick: () => request.abort() }, t("cancel"))),
    h("div", { class: "doing" }, h("span", { class: "pill queued" }, t("uploading")), bar, words));
  request.upload.onprogress = (event) => {
    bar.value = event.loaded / (event.total || file.size);
    words.textContent = `${Math.round(100 * bar.value)} %`;
  };
  request.onloadend = () => {
    uploads.delete(request);
    row.remove();
    if (request.status === 401) location.reload();
    else if (request.status >= 300) toast(reason(request), true);
    else if (!request.status && !request.aborted) toast(t("no_server"), true);
    look();
  };
  request.onabort = () => (request.aborted = true);
  request.open("POST", `/api/videos?name=${encodeURIComponent(file.name.slice(0, 200) || "video")}`);
  request.setRequestHeader("Content-Type", "application/octet-stream");
  request.send(file);
  uploads.add(request);
  sending.append(row);
}

function reason(request) {
  try {
    return JSON.parse(request.responseText).error;
  } catch {
    return `${request.status} ${request.statusText}`;
  }
}

function update(list, videos, look) {
  const rows = new Map([...list.children].map((row) => [row.dataset.id, row]));
  const shown = videos.map((video) => {
    const key = JSON.stringify([video, Math.round((video.progress.part || 0) * 200)]);
    let row = rows.get(video.id);
    if (!row) row = h("article", { class: "job card", "data-id": video.id });
    else if (row.dataset.key === key) return row;
    // whoever is at a button of the row stays there
    const active = row.contains(document.activeElement) ? document.activeElement.dataset.act : null;
    row.dataset.key = key;
    fill(row, video, look);
    if (active) row.querySelector(`[data-act="${active}"]`)?.focus();
    return row;
  });
  if (shown.length !== list.children.length || shown.some((row, place) => list.children[place] !== row)) list.replaceChildren(...shown);
}

function fill(row, video, look) {
  const path = at("videos", video.id);
  const page = `#/videos/${video.id}`;
  const act = (name, words, work, look_ = "") => h("button", { type: "button", class: look_, "data-act": name, onclick: () => attempt(async () => {
    await work();
    look();
  }) }, words);
  const active = video.state === "queued" || video.state === "running";
  const name = video.tracked || active ? h("a", { href: page }, video.name) : video.name;
  const size = video.width ? `${clock(video.seconds)} · ${video.width} × ${video.height}` : "";
  row.replaceChildren(
    h("img", { class: "thumb", src: `${path}/thumb.jpg`, alt: "", onerror: (event) => (event.target.style.visibility = "hidden") }),
    h("h2", {}, name, h("div", { class: "soft small num" }, size)),
    h("div", { class: "act" },
      video.tracked && !active ? h("a", { class: "button primary", href: page, "data-act": "watch" }, t("watch")) : null,
      active ? act("cancel", t("cancel"), () => send(`${path}/cancel`, {})) : null,
      !active && !video.tracked ? act("again", t("again"), () => send(`${path}/again`, {})) : null,
      active ? null : act("remove", t("remove"), async () => confirm(t("remove_sure", { name: video.name })) && ask(path, { method: "DELETE" }), "danger")),
    h("div", { class: "doing" }, h("span", { class: `pill ${video.state}` }, t(video.state)), ...doing(video)));
}

/** What a video does now: its bar and the time left, its place, what it found, or why it failed. */
export function doing(video) {
  const { part, left, place } = video.progress;
  if (video.state === "running") {
    return [h("progress", { max: 1, value: part ?? null, "aria-label": t("running") }),
      h("span", { class: "soft small num" }, part === null || part === undefined ? "" : `${Math.round(100 * part)} %`, left === null || left === undefined ? "" : ` · ${t("time_left", { time: clock(left) })}`)];
  }
  if (video.state === "queued") return [h("span", { class: "soft small" }, t("place_in_queue", { place: place || 1 }))];
  if (video.state === "failed") return [h("span", { class: "small danger" }, video.error || "")];
  return [h("span", { class: "soft small" }, video.people === null ? "" : t("people_count", { count: video.people }))];
}
