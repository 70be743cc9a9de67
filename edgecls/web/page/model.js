// The models that the run uses now: cards, ladders, reliability, self-tests; and the drift of each camera.
import { reliability } from "./charts.js";
import { element } from "./dom.js";
import { DriftSection } from "./drift.js";
import { askFor, counted, facts, folded, percent, Refresh, size, table, when, whole } from "./tables.js";

const EVERY_MS = 5000, MOST_OPEN = 12;
const ROLES = { model: "in use", shadow: "shadow", detector: "detector" };

export class ModelView {
  constructor(main) {
    this.mayEdit = document.body.dataset.role !== "view";
    this.empty = element("p", { className: "empty", role: "status" }, "Asking for the models…");
    this.list = element("div", { className: "cards" });
    this.drift = new DriftSection();
    main.append(element("h1", {}, "Model"), this.empty, this.list, this.drift.root);
    this.refresh = new Refresh(() => this.load(), EVERY_MS);
  }

  async load() {
    const [answer, drift] = await Promise.all([askFor("/api/models"), askFor("/api/drift")]);
    if (this.isClosed) return;
    const text = answer.fault ?? answer.why;
    this.empty.textContent = text;
    this.empty.hidden = !text;
    const shown = JSON.stringify(answer);
    if (!answer.fault && shown !== this.shown) {
      this.shown = shown;
      const open = new Set([...this.list.querySelectorAll("details[open]")].map((one) => one.dataset.key));
      this.list.replaceChildren(...answer.models.map((model) => this.card(model)));
      for (const one of this.list.querySelectorAll("details")) if (open.has(one.dataset.key)) one.open = true;
    }
    this.drift.show(drift);
  }

  card(model) {
    const title = `title-${model.model}`;
    const blocks = [this.facts(model), this.test(model), ...this.accuracy(model), ...this.ladder(model), ...this.labels(model)];
    const card = element("article", { className: "card", "aria-labelledby": title },
      element("div", { className: "heading" }, element("h2", { id: title }, model.name), element("span", { className: "chip" }, ROLES[model.role])),
      model.fault ? element("p", { className: "error", role: "alert" }, model.fault) : null, ...blocks,
      model.lacks ? element("p", { className: "quiet" }, model.lacks) : null);
    for (const [i, one] of [...card.querySelectorAll("details")].entries()) one.dataset.key = `${model.model} ${i} ${one.firstChild.textContent}`;
    return card;
  }

  facts(model) {
    const report = model.has_report ? element("a", { href: `/api/models/${model.model}/report`, target: "_blank", rel: "noopener" }, "Report of this model") : "";
    const made = Object.entries(model.made_with).map(([name, value]) => `${name} ${value}`).join(", ");
    return facts([
      ["File", element("code", {}, model.file)], ["Size", `${size(model.bytes)}, ${model.scheme}`], ["Date", when(model.modified_at_s)],
      ["Cameras", model.cameras.join(", ")], ["Input", model.input], ["Runs on", `${model.device}${model.why_device ? ` (${model.why_device})` : ""}`],
      ["Trained with", model.split], ["About", model.about], ["Scores", model.confidence], ["Made with", made], ["Report", report],
    ]);
  }

  // The button stays where it is when the result changes, so that whoever uses keys does not lose their place.
  test(model) {
    const said = element("p", { role: "status" });
    const show = (test) => {
      if (!test) said.textContent = model.has_test ? "It was not tested when it was loaded, because on_mismatch is ignore." : "This file has no self-test.";
      else said.textContent = `${test.passed ? "Passed" : "Failed"} on this machine, ${when(test.at_s)}, in ${test.ms.toFixed(1)} ms: ${test.found}.`;
      said.className = test ? (test.passed ? "good" : "error") : "quiet";
    };
    show(model.self_test);
    const button = element("button", { type: "button", hidden: !model.has_test, disabled: !this.mayEdit, onclick: async () => {
      button.disabled = true;
      const answer = await askFor(`/api/models/${model.model}/test`, "POST");
      button.disabled = false;
      if (answer.fault) { said.textContent = answer.fault; said.className = "error"; } else { model.self_test = answer; show(answer); }
      button.focus();
    } }, "Test again");
    return element("section", { "aria-label": `Self-test of ${model.name}` }, element("h3", {}, "Self-test"), element("div", { className: "testing" }, said, button));
  }

  accuracy(model) {
    const { accuracy: found, metrics } = model;
    if (!found) return [];
    const interval = found.low == null ? "" : `${percent(found.low)} to ${percent(found.high)}`;
    const how = found.by_group ? "pictures of one group count as what they are worth" : "if each picture counts for itself";
    const parts = [
      element("h3", {}, "Accuracy"),
      element("p", { className: "figure" }, element("strong", {}, percent(found.value)), ` ${model.several ? "of the pictures have all labels right" : "right"}`),
      facts([
        ["95 % interval", interval && `${interval}, ${how}`], ["Measured on", model.measured_on],
        ["Macro recall", metrics.macro_recall == null ? "" : percent(metrics.macro_recall)],
        ["Macro F1", metrics.macro_f1 == null ? "" : percent(metrics.macro_f1)],
        ["Labelled", metrics.coverage == null ? "" : `${percent(metrics.coverage)} of the pictures, of which ${percent(metrics.risk, 2)} are wrong`],
        ["Calibration error", metrics.calibration_error == null ? "" : metrics.calibration_error.toFixed(4)],
      ]),
    ];
    const diagram = this.reliability(model);
    return [element("section", { className: diagram ? "accuracy beside-chart" : "accuracy", "aria-label": `Accuracy of ${model.name}` }, element("div", {}, ...parts), diagram)];
  }

  reliability(model) {
    const bins = model.reliability.filter((bin) => bin.pictures);
    if (!bins.length) return null;
    const label = `Reliability of ${model.name}: ${bins.length} bins, see the table below`;
    const rows = bins.map((bin) => ({ cells: [`${bin.low.toFixed(2)} to ${bin.high.toFixed(2)}`, whole(bin.pictures), bin.score.toFixed(3), percent(bin.right)] }));
    return element("figure", {}, reliability(model.reliability, label),
      element("figcaption", {}, "Of the pictures with such a score, the share that is right; on the dashed line scores are true.",
        element("span", { className: "key sure" }, "too sure"), element("span", { className: "key shy" }, "too unsure")),
      folded("Reliability as a table", table(`Reliability of ${model.name}`, [["Score", "text"], "Pictures", "Mean score", "Right"], rows)));
  }

  ladder(model) {
    const { ladder } = model;
    if (!ladder) return model.ladder_fault ? [element("p", { className: "quiet" }, `${model.ladder_fault}.`)] : [];
    const rows = ladder.rungs.map((rung) => ({
      className: rung.name === ladder.chosen ? "chosen" : "",
      cells: [`${rung.name}${rung.name === ladder.chosen ? " (taken)" : ""}`, size(rung.bytes), `${whole(rung.us)} µs`, percent(rung.macro_f1 ?? rung.top1, 2), percent(rung.agreement, 2),
        rung.refused && rung.refused !== "reference" ? rung.refused : ""],
    }));
    const accuracy = ladder.rungs.some((rung) => rung.macro_f1 != null) ? "Macro F1" : "Accuracy";
    const notes = `Measured on ${ladder.measured_on}, on one thread of ${ladder.processor}${ladder.timed_here ? "" : ", which is no processor that the model is for, so times did not count"}.`;
    const left = ladder.left_out.map(({ name, why }) => `${name}: ${why}`).join("; ");
    const columns = [["Form", "text"], "Size", "Time", accuracy, "As fp32", ["Not taken because", "text"]];
    return [element("section", {}, element("h3", {}, "Forms that the export compared"),
      table(`Forms of ${model.name}`, rows.some((row) => row.cells[5]) ? columns : columns.slice(0, 5), rows.map((row) => (rows.some((one) => one.cells[5]) ? row : { ...row, cells: row.cells.slice(0, 5) }))),
      element("p", { className: "quiet" }, notes, left ? ` Left out: ${left}.` : ""))];
  }

  labels(model) {
    const { labels, classes, thresholds, confusions } = model;
    const title = `${counted(labels.length, "label")}`;
    const parts = [];
    if (classes.length) {
      const rows = labels.map((label, i) => ({ ...classes[i], label, threshold: thresholds[i] })).sort((one, other) => (one.recall ?? 2) - (other.recall ?? 2));
      const columns = [["Label", "text"], "Pictures", "Found", "95 % interval", "Right if given", ...(thresholds.length ? ["Threshold"] : [])];
      const cells = rows.map((row) => ({ cells: [row.label, whole(row.pictures), percent(row.recall), row.low == null ? "–" : `${percent(row.low, 0)} to ${percent(row.high, 0)}`,
        percent(row.precision), ...(thresholds.length ? [row.threshold.toFixed(3)] : [])] }));
      parts.push(table(`Labels of ${model.name}, the one that is found least first`, columns, cells));
    } else if (thresholds.length) {
      parts.push(table(`Labels of ${model.name}`, [["Label", "text"], "Threshold"], labels.map((label, i) => ({ cells: [label, thresholds[i].toFixed(3)] }))));
    } else {
      parts.push(element("ul", { className: "labels" }, ...labels.map((label) => element("li", {}, label))));
    }
    const found = labels.length > MOST_OPEN ? folded(title, ...parts) : element("section", {}, element("h3", {}, title), ...parts);
    if (!confusions.length) return [found];
    const rows = confusions.map(({ truth, given, pictures }) => ({ cells: [labels[truth], labels[given], whole(pictures)] }));
    return [found, folded("Confusions", table(`Confusions of ${model.name}`, [["Is", "text"], ["Taken for", "text"], "Pictures"], rows))];
  }

  close() {
    this.isClosed = true;
    this.refresh.close();
  }
}
