// Asking the server. A failure is an Error whose message is the server's one line.
import { t } from "./i18n.js";

export async function ask(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new Error(t("no_server"));
  }
  if (answer.status === 401) {
    location.reload(); // the log-in form comes in place of the page
    throw new Error(t("log_in"));
  }
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(body.error || `${answer.status} ${answer.statusText}`);
  return body;
}

export function send(path, body, method = "POST", signal = undefined) {
  return ask(path, { method, signal, headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
}

export const at = (...parts) => `/api/${parts.map(encodeURIComponent).join("/")}`;
