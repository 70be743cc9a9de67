// Form fields made from the JSON Schema of settings, with its limits and explanations.
import { element } from "./dom.js";

const UNITS = { s: "seconds", hw: "pixels" };
let count = 0;

const resolved = (schema, defs) => ({ ...(schema.$ref ? defs[schema.$ref.split("/").at(-1)] : {}), ...schema });

export function titleOf(key) {
  const words = key.split("_"), unit = UNITS[words.at(-1)];
  const text = (unit ? words.slice(0, -1) : words).join(" ");
  return `${text[0].toUpperCase()}${text.slice(1)}${unit ? ` (${unit})` : ""}`;
}

function limits({ minimum, exclusiveMinimum, maximum, exclusiveMaximum }) {
  const low = minimum ?? exclusiveMinimum, high = maximum ?? exclusiveMaximum;
  if (low === undefined && high === undefined) return "";
  if (high === undefined) return minimum === undefined ? `above ${low}` : `${low} or more`;
  return `${minimum === undefined ? "above " : ""}${low} to ${exclusiveMaximum === undefined ? "" : "below "}${high}`;
}

function about(schema) {
  const usual = Array.isArray(schema.default) ? schema.default.join(", ") : schema.type === "boolean" ? (schema.default ? "on" : "off") : schema.default;
  const notes = [limits(schema), usual === undefined || usual === "" ? "" : `usual: ${usual}`].filter(Boolean).join("; ");
  const text = (schema.description ?? "").replaceAll("`", "");
  return `${text}${text && notes ? " " : ""}${notes ? `(${notes})` : ""}`;
}

// Returns a field for one setting. `value` is undefined where the file does not say it; `set` gets the new one, or undefined.
export function field(key, schema, value, set, { title = titleOf(key), choices = null } = {}) {
  const id = `field-${count += 1}`, hint = element("p", { className: "hint", id: `${id}-hint` }, about(schema));
  const fault = element("p", { className: "error", id: `${id}-fault`, hidden: true });
  const input = control(schema, value, set, fault, choices);
  input.id = id;
  input.dataset.key = key;
  input.setAttribute("aria-describedby", `${hint.id} ${fault.id}`);
  return element("div", { className: "field" }, element("label", { htmlFor: id }, title), input, fault, hint.textContent ? hint : null);
}

function control(schema, value, set, fault, choices) {
  const kind = choices || schema.enum ? "choice" : schema.type;
  if (kind === "choice") {
    const options = choices ?? schema.enum.map((one) => [one, one]);
    const made = element("select", { onchange: () => set(made.value === schema.default ? undefined : made.value) },
      ...options.map(([name, text]) => element("option", { value: name }, text)));
    made.value = value ?? schema.default;
    return made;
  }
  if (kind === "boolean") {
    const made = element("input", { type: "checkbox", checked: value ?? schema.default ?? false, onchange: () => set(made.checked === (schema.default ?? false) ? undefined : made.checked) });
    return made;
  }
  const usual = Array.isArray(schema.default) ? schema.default.join(", ") : schema.default ?? "";
  const isNumber = ["number", "integer"].includes(kind);
  const made = element("input", {
    type: isNumber ? "number" : "text", placeholder: String(usual), value: Array.isArray(value) ? value.join(", ") : value ?? "", autocomplete: "off",
    oninput: () => { set(read(made, schema, kind)); show(made, fault); },
  });
  if (isNumber) {
    made.step = kind === "integer" ? 1 : "any";
    for (const [name, limit] of [["min", schema.minimum], ["max", schema.maximum]]) if (limit !== undefined) made[name] = limit;
    made.dataset.above = schema.exclusiveMinimum ?? "";
    made.dataset.below = schema.exclusiveMaximum ?? "";
    made.dataset.limits = limits(schema);
  }
  return made;
}

function read(input, schema, kind) {
  const text = input.value.trim();
  if (kind === "array") return text === "" ? (schema.default?.length ? [] : undefined) : text.split(",").map((one) => one.trim()).filter(Boolean);
  if (text === "") return undefined;
  return ["number", "integer"].includes(kind) ? Number(text) : text;
}

function show(input, fault) {
  const { above, below, limits: allowed } = input.dataset, value = Number(input.value);
  const isBad = !input.validity.valid || (input.value !== "" && ((above && value <= above) || (below && value >= below)));
  fault.hidden = !isBad;
  fault.textContent = isBad ? `Expected ${input.step === "1" ? "a whole number" : "a number"}${allowed ? `, ${allowed}` : ""}.` : "";
  if (isBad) input.setAttribute("aria-invalid", "true");
  else input.removeAttribute("aria-invalid");
}

// Returns the fields of a table, which are hidden until somebody opens them. Settings that are not in `value` have their usual value.
export function table(title, schema, defs, value, set) {
  const { properties, description = "" } = resolved(schema, defs), own = { ...(value ?? {}) };
  const fields = Object.entries(properties).map(([key, inner]) => [key, resolved(inner, defs)])
    .filter(([, inner]) => inner.type !== "object" && (inner.type !== "array" || inner.items.type === "string" || inner.items.enum))
    .map(([key, inner]) => field(key, inner, own[key], (one) => {
      if (one === undefined) delete own[key]; else own[key] = one;
      set(Object.keys(own).length ? { ...own } : undefined);
    }));
  const known = Object.keys(own).length;
  return element("details", { open: false }, element("summary", {}, title, known ? element("span", { className: "quiet" }, ` · ${known} set`) : null),
    element("p", { className: "hint" }, description.split(". ")[0].replace(/\.?$/, ".")), ...fields);
}
