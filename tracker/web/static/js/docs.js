// The API, from the server's own openapi.json; requests that change nothing can be tried.
import { ask } from "./api.js";
import { attempt, h } from "./dom.js";

const main = document.getElementById("main");

/** Text with `code` in it. */
const words = (text) => (text || "").split(/(`[^`]+`)/).map((part) => (part.startsWith("`") ? h("code", {}, part.slice(1, -1)) : part));

const kindOf = (schema = {}) => schema.enum?.join(" | ") || schema.anyOf?.map(kindOf).join(" | ") || schema.type || schema.$ref?.split("/").pop() || "";

function fields(parameters = []) {
  if (!parameters.length) return null;
  return h("table", {}, h("tbody", {}, parameters.map((one) => h("tr", {}, h("th", { scope: "row" }, h("code", {}, one.name)),
    h("td", {}, `${one.in}${one.required ? ", required" : ""}`), h("td", { class: "soft" }, kindOf(one.schema), one.description ? `: ${one.description}` : "")))));
}

function body(call, all) {
  const schema = call.requestBody?.content?.["application/json"]?.schema;
  if (!schema) return null;
  const known = schema.$ref ? all.components.schemas[schema.$ref.split("/").pop()] : schema;
  return h("p", { class: "soft" }, "JSON body: ", h("code", {}, Object.keys(known.properties || {}).join(", ") || "an object"));
}

function trial(path, call) {
  const inputs = (call.parameters || []).filter((one) => one.in !== "header").map((one) => h("input", { name: one.name, placeholder: one.name, "aria-label": one.name, "data-in": one.in, required: one.required }));
  const out = h("div");
  const form = h("form", { class: "try", onsubmit: (event) => {
    event.preventDefault();
    let address = path;
    const query = new URLSearchParams();
    inputs.forEach((input) => (input.dataset.in === "path" ? (address = address.replace(`{${input.name}}`, encodeURIComponent(input.value))) : input.value && query.set(input.name, input.value)));
    if (query.size) address += `?${query}`;
    attempt(() => show(address, out));
  } }, inputs, h("button", {}, "Try"));
  return [form, out];
}

async function show(address, out) {
  if (/\.jpg/.test(address)) {
    out.replaceChildren(h("img", { src: address, alt: address }));
    return;
  }
  const answer = await fetch(address);
  const text = await answer.text();
  let shown = text;
  try {
    shown = JSON.stringify(JSON.parse(text), null, 1);
  } catch { /* no JSON */ }
  out.replaceChildren(h("pre", {}, `${answer.status}\n${shown.slice(0, 20000)}`));
}

const endless = (path) => /stream\.mjpg|\/events$|\/files\//.test(path);

attempt(async () => {
  const all = await ask("/openapi.json");
  main.append(h("h1", {}, all.info.title), h("p", { class: "intro" }, words(all.info.description)),
    h("p", { class: "intro" }, words("A server with a token wants `Authorization: Bearer TOKEN` with every request but `/healthz`.")));
  const groups = new Map();
  Object.entries(all.paths).forEach(([path, calls]) => Object.entries(calls).forEach(([method, call]) => {
    const tag = call.tags?.[0] || "other";
    groups.set(tag, [...(groups.get(tag) || []), { path, method, call }]);
  }));
  groups.forEach((calls, tag) => main.append(h("h2", { class: "group" }, tag), ...calls.map(({ path, method, call }) => h("details", { class: "call card" },
    h("summary", {}, h("span", { class: `method ${method}` }, method.toUpperCase()), h("span", { class: "path" }, path), h("span", { class: "soft" }, call.summary)),
    h("div", { class: "about" }, h("p", {}, words(call.description)), fields(call.parameters), body(call, all), method === "get" && !endless(path) ? trial(path, call) : null)))));
});
