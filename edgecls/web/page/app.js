// The page: which view is shown, and what all views share.
import { Connection } from "./connection.js";
import { element } from "./dom.js";
import { EventsView } from "./events.js";
import { CameraView, WallView } from "./live.js";
import { MachineView } from "./machine.js";
import { ModelView } from "./model.js";
import { TeachView } from "./teach.js";

const TITLES = new Map([["events", "Events"], ["teach", "Teach"], ["model", "Model"], ["machine", "Machine"]]);
const main = document.getElementById("main");
const notice = document.getElementById("connection");
const notices = document.getElementById("notices");
const connection = new Connection();
let view = null;

connection.addEventListener("state", ({ detail }) => {
  notice.hidden = detail.text === "";
  notice.textContent = detail.text;
  if (detail.isOld) notice.append(" ", element("button", { type: "button", onclick: () => location.reload() }, "Reload"));
});

// What the run has to say besides its cameras. The same again is not announced again.
let told = "";
connection.addEventListener("cameras", () => {
  const now = JSON.stringify(connection.notices);
  if (now === told) return;
  told = now;
  notices.hidden = !connection.notices.length;
  notices.replaceChildren(...connection.notices.map((text) => element("p", {}, text)));
});

function show() {
  const [, page, name] = (location.hash || "#/").match(/^#\/([^/]*)\/?(.*)$/) ?? [null, "", ""];
  view?.close();
  main.replaceChildren();
  if (page === "camera") view = new CameraView(main, connection, decodeURIComponent(name));
  else if (page === "events") view = new EventsView(main, connection);
  else if (page === "teach") view = new TeachView(main);
  else if (page === "model") view = new ModelView(main);
  else if (page === "machine") view = new MachineView(main);
  else view = new WallView(main, connection);
  for (const link of document.querySelectorAll("nav a")) {
    const isHere = link.dataset.page === (TITLES.has(page) ? page : "live");
    if (isHere) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  const title = page === "camera" ? decodeURIComponent(name) : TITLES.get(page);
  document.title = title ? `${title} · edgecls` : "edgecls";
}

window.addEventListener("hashchange", () => { show(); main.focus(); });
document.addEventListener("visibilitychange", () => connection.update());
show();
