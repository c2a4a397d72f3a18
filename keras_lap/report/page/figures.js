// Tables of figures.

const MARKS = {
  best: ["★", "best"],
  alike: ["≈", "its difference to the best may be chance"],
};

function intervalBar(cell, low, high) {
  if (cell.low === null || cell.high === null || !(high > low)) return null;
  const at = (value) => 2 + (96 * (value - low)) / (high - low);
  return svg(
    "svg",
    { class: "bar", viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": "true" },
    svg("line", { x1: 2, x2: 98, y1: 4, y2: 4, class: "track" }),
    svg("line", {
      x1: at(cell.low),
      x2: Math.max(at(cell.high), at(cell.low) + 1),
      y1: 4,
      y2: 4,
      class: "span",
    }),
    svg("line", { x1: at(cell.mean), x2: at(cell.mean), y1: 0, y2: 8, class: "mean" }),
  );
}

function counts(cell) {
  return cell.left_out ? `n = ${cell.counted}, ${cell.left_out} left out` : `n = ${cell.counted}`;
}

function figureRow(row) {
  const known = row.cells.filter((cell) => cell !== null);
  const ends = known.flatMap((cell) => [cell.low, cell.high]).filter((end) => end !== null);
  const [low, high] = [Math.min(...ends), Math.max(...ends)];
  const alike = new Set(known.map(counts)).size === 1;
  const direction =
    row.higher === null ? null : row.higher ? "↑ higher is better" : "↓ lower is better";
  return html(
    "tr",
    {},
    html(
      "th",
      { scope: "row" },
      row.metric,
      direction && html("small", {}, direction),
      alike ? html("small", {}, counts(known[0])) : null,
    ),
    ...row.cells.map((cell) => {
      if (cell === null || cell.mean === null) return html("td", { class: "missing" }, "–");
      const mark = MARKS[cell.mark] ?? null;
      return html(
        "td",
        { class: cell.mark === "best" ? "best" : null },
        html(
          "span",
          { class: "value" },
          number(cell.mean),
          mark && html("span", { class: "mark", "aria-hidden": "true" }, mark[0]),
          mark && spoken(`, ${mark[1]}`),
        ),
        cell.low === null || cell.low === cell.high
          ? null
          : html("small", {}, `${number(cell.low)} to ${number(cell.high)}`),
        alike ? null : html("small", {}, counts(cell)),
        intervalBar(cell, low, high),
      );
    }),
  );
}

function figureTable(table) {
  const severalModels = table.models.length > 1;
  const accuracies = table.models
    .filter((model) => model.accuracy !== null)
    .map((model) => `${model.name} ${number(model.accuracy)}`);
  const caption = html(
    "caption",
    {},
    capital(table.protocol),
    accuracies.length ? html("small", {}, `Accuracy: ${accuracies.join(", ")}`) : null,
    severalModels
      ? html(
          "small",
          {},
          "Each model is explained on its own answers. Figures of probabilities also depend on how sure a model is.",
        )
      : null,
  );
  const head = html(
    "tr",
    {},
    html("th", { scope: "col" }, "Metric"),
    ...table.columns.map((column) =>
      html(
        "th",
        { scope: "col" },
        column.explainer,
        severalModels ? html("small", {}, column.model) : null,
      ),
    ),
  );
  const scrolled = html(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": `Figures, ${table.protocol}` },
    html(
      "table",
      { class: "figures" },
      caption,
      html("thead", {}, head),
      html("tbody", {}, ...table.rows.map(figureRow)),
    ),
  );
  const failures = html(
    "details",
    { class: "note" },
    html(
      "summary",
      {},
      table.failures.length === 1 ? "One failure" : `${table.failures.length} failures`,
    ),
    html("ul", {}, ...table.failures.map((failure) => html("li", {}, failure))),
  );
  return html("div", {}, scrolled, table.failures.length ? failures : null);
}
