// Eight fills that differ in hue, lightness and pattern: for stacked bars, states of cells, lines.
// In CSS a fill is `fillStyle(i)`, which follows the theme; on a canvas take `FILLS[i]`.

/** Each: colour on a light and on a dark ground, and the pattern that tells it without colour. */
export const FILLS = [
  { light: "#3b76c4", dark: "#6ea6ee", pattern: "solid" },
  { light: "#c9701a", dark: "#eda35c", pattern: "rising" },
  { light: "#1f8a7d", dark: "#58c4b4", pattern: "dots" },
  { light: "#8056b3", dark: "#b493e0", pattern: "falling" },
  { light: "#6f7a88", dark: "#98a4b3", pattern: "level" },
  { light: "#c0453c", dark: "#ec8279", pattern: "crossed" },
  { light: "#7f7a14", dark: "#c9c254", pattern: "upright" },
  { light: "#b5508f", dark: "#e58fc4", pattern: "squares" },
];

const INK = "light-dark(rgb(255 255 255 / 62%), rgb(0 0 0 / 50%))";

const stripes = (angle, gap = 6) =>
  `repeating-linear-gradient(${angle}deg, ${INK} 0 1.5px, transparent 1.5px ${gap}px)`;

const PATTERNS = {
  solid: "none",
  rising: stripes(135),
  falling: stripes(45),
  level: stripes(0, 5),
  upright: stripes(90, 5),
  crossed: `${stripes(45, 7)}, ${stripes(135, 7)}`,
  dots: `radial-gradient(circle at 3px 3px, ${INK} 1.4px, transparent 1.8px) 0 0 / 6px 6px`,
  squares: `conic-gradient(${INK} 25%, transparent 0 50%, ${INK} 0 75%, transparent 0) 0 0 / 8px 8px`,
};

/** The `style` of an element filled with fill `i`. */
export function fillStyle(i) {
  const { light, dark, pattern } = FILLS[i % FILLS.length];
  const image = PATTERNS[pattern] === "none" ? "" : `background: ${PATTERNS[pattern]}; `;
  return `${image}background-color: light-dark(${light}, ${dark})`;
}

/** Lines of a pattern in a square of side `size`: `[x0, y0, x1, y1]`, for drawing on a canvas. */
export function patternLines(pattern, size) {
  const a = size * 0.25;
  const b = size * 0.5;
  const c = size * 0.75;
  return {
    solid: [],
    rising: [[a, c, c, a]],
    falling: [[a, a, c, c]],
    level: [[a, b, c, b]],
    upright: [[b, a, b, c]],
    crossed: [[a, a, c, c], [a, c, c, a]],
    dots: [[b - 0.5, b, b + 0.5, b]],
    squares: [[a, a, c, a], [c, a, c, c], [c, c, a, c], [a, c, a, a]],
  }[pattern];
}
