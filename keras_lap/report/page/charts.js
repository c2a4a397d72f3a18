// Charts of curves.

function ticks(low, high, count = 5) {
  const rough = (high - low) / count || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((factor) => factor * power >= rough);
  const first = Math.floor(low / step + 1e-9);
  const last = Math.ceil(high / step - 1e-9);
  return Array.from({ length: Math.max(last - first, 1) + 1 }, (_, index) =>
    Number(((first + index) * step).toPrecision(12)),
  );
}

// A name has the same style in all charts that share `names`.
function lineStyle(name, names) {
  if (!names.has(name)) names.set(name, names.size);
  const index = names.get(name);
  const dashes = ["", "7 3", "2 3", "9 3 2 3", "4 2", "12 4", "1 2", "6 2 1 2 1 2"];
  return {
    class: `line line-${index % 8}${index ? "" : " first"}`,
    "stroke-dasharray": dashes[(index + Math.floor(index / 8)) % 8],
  };
}

const nearest = (values, value) =>
  values.reduce(
    (best, other, index) =>
      Math.abs(other - value) < Math.abs(values[best] - value) ? index : best,
    0,
  );

function numbersTable(chart) {
  const xs = chart.lines.reduce(
    (longest, line) => (line.x.length > longest.length ? line.x : longest),
    [],
  );
  const rows = Math.min(xs.length, 11);
  const picked = Array.from(
    { length: rows },
    (_, row) => xs[Math.round((row * (xs.length - 1)) / Math.max(rows - 1, 1))],
  );
  return html(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": `Numbers of ${chart.name}` },
    html(
      "table",
      { class: "numbers" },
      html(
        "thead",
        {},
        html(
          "tr",
          {},
          html("th", { scope: "col" }, chart.x_name),
          ...chart.lines.map((line) => html("th", { scope: "col" }, line.name)),
        ),
      ),
      html(
        "tbody",
        {},
        ...picked.map((x) =>
          html(
            "tr",
            {},
            html("th", { scope: "row" }, number(x)),
            ...chart.lines.map((line) =>
              html("td", {}, number(line.y[nearest(line.x, x)] ?? null)),
            ),
          ),
        ),
      ),
    ),
  );
}

function chartFigure(chart, names) {
  const xs = chart.lines.flatMap((line) => line.x);
  const ys = chart.lines.flatMap((line) => line.y).filter((y) => y !== null);
  const lowest = Math.min(...ys, Infinity);
  const yTicks = ys.length
    ? ticks(lowest > 0 && lowest < Math.max(...ys) / 2 ? 0 : lowest, Math.max(...ys))
    : [0, 1];
  const [xLow, xHigh] = [Math.min(...xs), Math.max(...xs)];
  const epochs = chart.x_name === "epoch";
  const xTicks = ticks(xLow, xHigh).filter(
    (x) => x >= xLow && x <= xHigh && (!epochs || Number.isInteger(x)),
  );
  const [width, height, right, top, bottom] = [320, 200, 12, 10, 40];
  const left = 14 + 6.5 * Math.max(...yTicks.map((y) => String(y).length));
  const atX = (x) =>
    left + ((width - left - right) * (xHigh > xLow ? x - xLow : 0.5)) / (xHigh - xLow || 1);
  const atY = (y) =>
    height - bottom - ((height - top - bottom) * (y - yTicks[0])) / (yTicks.at(-1) - yTicks[0]);

  const summary = chart.lines.map((line) => {
    const known = line.y.filter((y) => y !== null);
    return known.length
      ? `${line.name} from ${number(known[0])} to ${number(known.at(-1))}`
      : `${line.name} without values`;
  });
  const axis = svg(
    "text",
    { class: "axis", x: (left + width - right) / 2, y: height - 5, "text-anchor": "middle" },
    chart.x_name,
  );
  const rule = svg("line", { class: "rule", y1: top, y2: height - bottom, visibility: "hidden" });
  const drawing = svg(
    "svg",
    {
      viewBox: `0 0 ${width} ${height}`,
      role: "img",
      "aria-label": `${chart.y_name} by ${chart.x_name}: ${summary.join("; ")}.`,
    },
    ...yTicks.map((y) =>
      svg(
        "g",
        { class: "tick" },
        svg("line", { x1: left, x2: width - right, y1: atY(y), y2: atY(y) }),
        svg("text", { x: left - 6, y: atY(y) + 4, "text-anchor": "end" }, String(y)),
      ),
    ),
    ...xTicks.map((x) =>
      svg(
        "g",
        { class: "tick" },
        svg("text", { x: atX(x), y: height - bottom + 16, "text-anchor": "middle" }, String(x)),
      ),
    ),
    axis,
    rule,
  );
  const values = chart.lines.map((line) => {
    let pen = "M";
    const path = line.y
      .map((y, index) => {
        if (y === null) {
          pen = "M";
          return "";
        }
        const step = `${pen}${atX(line.x[index]).toFixed(1)} ${atY(y).toFixed(1)}`;
        pen = "L";
        return step;
      })
      .join("");
    // A single value is a dot: a line of no length with round ends.
    const alone = line.y.filter((y) => y !== null).length === 1;
    const drawn = svg("path", { d: alone ? `${path}h0` : path, ...lineStyle(line.name, names) });
    drawn.classList.toggle("alone", alone);
    drawing.append(drawn);
    return html("span", { class: "reading" });
  });
  const legend = html(
    "ul",
    { class: "legend" },
    ...chart.lines.map((line, index) =>
      html(
        "li",
        {},
        svg(
          "svg",
          { class: "swatch", viewBox: "0 0 28 8", "aria-hidden": "true" },
          svg("path", { d: "M1 4H27", ...lineStyle(line.name, names) }),
        ),
        html("span", { class: "name" }, line.name),
        values[index],
      ),
    ),
  );

  drawing.addEventListener("pointermove", (event) => {
    const box = drawing.getBoundingClientRect();
    const share =
      (((event.clientX - box.left) / box.width) * width - left) / (width - left - right);
    const wanted = xLow + Math.min(1, Math.max(0, share)) * (xHigh - xLow);
    const x = xs[nearest(xs, wanted)];
    filled(rule, { x1: atX(x), x2: atX(x), visibility: "visible" }, []);
    axis.textContent = `${chart.x_name} ${number(x)}`;
    chart.lines.forEach((line, index) => {
      values[index].textContent = number(line.y[nearest(line.x, x)] ?? null);
    });
  });
  drawing.addEventListener("pointerleave", () => {
    rule.setAttribute("visibility", "hidden");
    axis.textContent = chart.x_name;
    for (const reading of values) reading.textContent = "";
  });
  const details = html("details", {}, html("summary", {}, "Numbers", spoken(` of ${chart.name}`)));
  details.addEventListener("toggle", () => details.append(numbersTable(chart)), { once: true });
  return html(
    "figure",
    { class: "chart" },
    html(
      "figcaption",
      {},
      html("b", {}, chart.name),
      chart.y_name === chart.name ? null : html("small", {}, chart.y_name),
    ),
    drawing,
    legend,
    details,
  );
}

function fill(id, parts) {
  one(`#${id}`).hidden = one(`nav a[href="#${id}"]`).hidden = parts.length === 0;
  one(`#${id}`).append(...parts);
}

fill("figures", data.tables.map(figureTable));

const charts = (list, names = new Map()) =>
  html("div", { class: "charts" }, ...list.map((chart) => chartFigure(chart, names)));
const groups = [...new Set(data.charts.map((chart) => chart.group))];
fill(
  "curves",
  groups.flatMap((group) => [
    html("h3", {}, capital(group)),
    charts(data.charts.filter((chart) => chart.group === group)),
  ]),
);
const phases = new Map([
  ["training", 0],
  ["validation", 1],
]);
fill("training", data.training.length ? [charts(data.training, phases)] : []);
