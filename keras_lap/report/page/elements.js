// Elements, words and the colour map. The files are one module in the page, in the order of
// report.py.

const data = JSON.parse(document.getElementById("data").textContent);
const { classes, layers, samples, size, total } = data.gallery;

const SVG = "http://www.w3.org/2000/svg";

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

const html = (tag, attributes = {}, ...children) =>
  filled(document.createElement(tag), attributes, children);
const svg = (tag, attributes = {}, ...children) =>
  filled(document.createElementNS(SVG, tag), attributes, children);
const one = (selector, within = document) => within.querySelector(selector);
const every = (selector, within = document) => [...within.querySelectorAll(selector)];
const spoken = (text) => html("span", { class: "spoken" }, text);

// Words

function number(value) {
  if (value === null) return "–";
  const size = Math.abs(value);
  if (size >= 1000) return Math.round(value).toLocaleString("en");
  if (size >= 100) return value.toFixed(0);
  if (size >= 10) return value.toFixed(1);
  if (size >= 1) return value.toFixed(2);
  if (size >= 0.001 || size === 0) return value.toFixed(3);
  return value.toExponential(1);
}

function percent(share) {
  if (share === null) return "–";
  if (share > 0 && share < 0.005) return "<1\u00a0%";
  if (share > 0.99 && share < 1)
    return share < 0.9995 ? `${(100 * share).toFixed(1)}\u00a0%` : ">99.9\u00a0%";
  return `${(100 * share).toFixed(0)}\u00a0%`;
}

const listed = (indices) => indices.map((index) => classes[index]).join(", ") || "none";
const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

function where(place) {
  if (place === null) return "nowhere";
  const third = (share, names) => names[Math.min(2, Math.floor(3 * share))];
  const down = third(place[0], ["upper", "middle", "lower"]);
  const across = third(place[1], ["left", "centre", "right"]);
  return `${down} ${across}`.replace("middle centre", "centre");
}

// The colour map, as the filter that turns grey into colour

["R", "G", "B"].forEach((channel, position) => {
  const values = data.colours.map((colour) => colour[position]).join(" ");
  one(`#heat feFunc${channel}`).setAttribute("tableValues", values);
});
const stops = data.colours.map(
  (colour) => `rgb(${colour.map((share) => Math.round(255 * share))})`,
);
document.documentElement.style.setProperty("--ramp", `linear-gradient(90deg, ${stops})`);
document.documentElement.style.setProperty("--shape", `${size[1]} / ${size[0]}`);
