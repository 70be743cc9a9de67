// One event: its clip, its pictures, what is known of it, and a way to say that its label is wrong.
import { ask } from "./ask.js";
import { cameraAddress, element, moment, sentence } from "./dom.js";

export class EventDialog {
  constructor(main) {
    this.labels = [];
    this.root = element("dialog", { className: "event", "aria-labelledby": "event-title" });
    this.root.addEventListener("close", () => this.root.replaceChildren()); // ends the download of a clip
    this.root.addEventListener("click", ({ target }) => { if (target === this.root) this.root.close(); });
    main.append(this.root);
  }

  async show(id) {
    const address = `/api/events/${encodeURIComponent(id)}`;
    const answer = await ask(address);
    const event = answer?.ok ? answer.json() : null;
    const why = event ? "" : answer ? answer.text : "There is no connection to the run.";
    const close = element("button", { type: "button", className: "closing", "aria-label": "Close", onclick: () => this.root.close() }, "×");
    const title = element("h2", { id: "event-title" }, event ? sentence(event) : "This event cannot be shown");
    this.root.replaceChildren(element("div", { className: "heading" }, title, close),
      ...(event ? [...this.media(event, address), this.facts(event), this.correction(event, address)] : [element("p", {}, why)]));
    if (!this.root.open) this.root.showModal();
  }

  media(event, address) {
    const found = [];
    if (event.clip) {
      const problem = element("p", { className: "quiet", hidden: true }, "This browser cannot play the clip. ");
      const video = element("video", { controls: true, preload: "metadata", playsInline: true, src: `${address}/clip`, "aria-label": "Clip of the event" });
      video.addEventListener("error", () => { video.hidden = true; problem.hidden = false; });
      problem.append(element("a", { href: `${address}/clip`, download: "" }, "Download it"));
      found.push(video, problem);
    }
    for (const show of event.snapshots) {
      found.push(element("img", { src: `${address}/snapshot?show=${show}`, alt: `Picture of the event (${show})`, loading: "lazy" }));
    }
    if (found.length) return [element("div", { className: "media" }, ...found)];
    const missing = event.clips && event.end == null ? "The clip is there when the event has ended." : "There is neither a clip nor a picture of this event.";
    return [element("p", { className: "quiet" }, missing)];
  }

  facts(event) {
    const facts = [
      ["Camera", element("a", { href: cameraAddress(event.camera), onclick: () => this.root.close() }, event.camera)],
      ["Began", moment(event.start)], ["Lasted", event.duration_s == null ? "goes on" : event.duration_s ? `${event.duration_s.toFixed(1)} s` : ""],
      ["Score", `${Math.round(event.score * 100)} %`], ["Model", event.model], ["Track", event.track_id == null ? "" : String(event.track_id)],
    ];
    return element("dl", {}, ...facts.filter(([, value]) => value !== "").flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]));
  }

  correction(event, address) {
    if (document.body.dataset.role === "view") return element("p", { className: "quiet" }, "Who may only look cannot report a wrong label.");
    if (event.uncorrectable) return element("p", { className: "quiet" }, `A wrong label cannot be reported. ${event.uncorrectable}`);
    const names = element("datalist", { id: "labels" }, ...this.labels.filter((one) => one).map((value) => element("option", { value })));
    const label = element("input", { name: "label", maxLength: 255, autocomplete: "off", placeholder: "leave empty if unsure" });
    label.setAttribute("list", "labels");
    const said = element("p", { role: "status", className: "quiet" });
    const send = element("button", { className: "primary" }, "Wrong label");
    const form = element("form", { className: "correction" }, element("label", {}, "Right label", label), send, names, said);
    form.addEventListener("submit", async (submitted) => {
      submitted.preventDefault();
      send.disabled = true;
      const body = JSON.stringify({ label: label.value });
      const answer = await ask(`${address}/wrong`, { method: "POST", body, headers: { "Content-Type": "application/json" } });
      said.className = answer?.ok ? "good" : "error";
      if (answer?.ok) said.textContent = label.value.trim() ? "The picture is in the labelling store with this label." : "The picture waits in the labelling store for its label.";
      else said.textContent = answer ? answer.text : "There is no connection to the run.";
      send.disabled = false;
    });
    return form;
  }

  close() { this.root.close(); }
}
