// Builds elements. Texts are always texts: no name or label is ever read as HTML.
export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in made) made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child != null));
  return made;
}

export function svgElement(tag, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

export const counted = (count, one = "picture") => `${count} ${one}${count === 1 ? "" : "s"}`;

export const cameraAddress = (name) => `#/camera/${encodeURIComponent(name)}`;

export function moment({ at_s: at, time_s: time, file }) {
  if (at != null) return new Date(at * 1000).toLocaleString([], { dateStyle: "short", timeStyle: "medium" });
  const minutes = Math.floor(time / 60), seconds = (time % 60).toFixed(1).padStart(4, "0");
  return file ? `${minutes}:${seconds} of ${file.split(/[\\/]/).at(-1)}` : `${minutes}:${seconds}`;
}

// The zone or line of an event; the whole picture and everything that moves have no name of their own.
export const place = ({ region }) => (["frame", "motion"].includes(region) ? "" : region);

export function sentence(event) {
  const where = place(event) === "" ? "" : ` ${event.kind === "crossing" ? "over" : "in"} ${event.region}`;
  const to = event.direction ? ` → ${event.direction}` : ""; // sides may be named "to the left"
  const counts = Object.entries(event.counts ?? {}).map(([label, count]) => `${count} ${label}`).join(", ");
  return `${event.kind}: ${counts || event.label}${where}${to}`;
}
