// Words in English and Chinese. The language is ?lang=, else what was chosen before, else the browser's.
import { WORDS } from "./words.js";

const asked = new URLSearchParams(location.search).get("lang");
let kept = null;
try {
  kept = localStorage.getItem("lang");
} catch { /* a browser that keeps nothing */ }
const known = (code) => (code || "").toLowerCase().startsWith("zh") ? "zh" : (code || "").toLowerCase().startsWith("en") ? "en" : null;

export let language = known(asked) || known(kept) || (navigator.languages || []).map(known).find(Boolean) || "en";

export function setLanguage(code) {
  language = code;
  try {
    localStorage.setItem("lang", code);
  } catch { /* likewise */ }
  document.documentElement.lang = code === "zh" ? "zh-CN" : "en";
}

/** The words for a key, with {name} replaced by the values. */
export function t(key, values = {}) {
  const pair = WORDS[key];
  const text = pair ? pair[language === "zh" ? 1 : 0] : key;
  return text.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}
