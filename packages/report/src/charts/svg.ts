import { xml } from '../text/escape.ts';
import { decimal } from '../text/units.ts';

/** Colours that keep apart for colour-blind eyes (Okabe and Ito); every mark also has a shape or a word of its own. */
const STYLE = `
.bg{fill:#fff}.ink{fill:#24292f}.dim{fill:#57606a}.rule{stroke:#d0d7de;stroke-width:1}.fault{fill:#d55e00;fill-opacity:.25}
.up{fill:#009e73}.noticed{fill:#e69f00}.starting{fill:#56b4e9}.down{fill:#d55e00}.detect{fill:#0072b2}.mitigate{fill:#cc79a7}.recover{fill:#009e73}.inject{fill:#d55e00}
.line{fill:none;stroke:#0072b2;stroke-width:1.5}.censored{fill:none;stroke-width:2;stroke-dasharray:4 3}.s-detect{stroke:#0072b2}.s-recover{stroke:#009e73}
text{font:11px ui-sans-serif,system-ui,sans-serif}.title{font-weight:600;font-size:13px}
@media (prefers-color-scheme:dark){.bg{fill:#0d1117}.ink{fill:#e6edf3}.dim{fill:#9198a1}.rule{stroke:#30363d}.detect{fill:#56b4e9}.line,.s-detect{stroke:#56b4e9}}
`.trim();

export const WIDTH = 860;

/** A whole drawing with its title and description for those who cannot see it. */
export function drawing(title: string, description: string, height: number, parts: readonly string[]): string {
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${n(height)}" width="${WIDTH}" height="${n(height)}" role="img" aria-labelledby="t d">`,
    `<title id="t">${xml(title)}</title>`,
    `<desc id="d">${xml(description)}</desc>`,
    `<style>${STYLE}</style>`,
    `<rect class="bg" width="${WIDTH}" height="${n(height)}" rx="6"/>`,
    write(16, 24, title, 'ink title'),
    ...parts,
    '</svg>',
  ].join('\n')}\n`;
}

export function write(
  x: number,
  y: number,
  text: string,
  style = 'ink',
  anchor: 'start' | 'middle' | 'end' = 'start',
): string {
  return `<text class="${style}" x="${n(x)}" y="${n(y)}"${anchor === 'start' ? '' : ` text-anchor="${anchor}"`}>${xml(text)}</text>`;
}

/** Text cut to about `width` pixels. */
export function label(text: string, width: number): string {
  const most = Math.max(4, Math.floor(width / 6.3));
  return text.length <= most ? text : `${text.slice(0, most - 3).toWellFormed()}...`;
}

/** A bar that can always be seen, with a hint for the pointer. */
export function bar(x: number, y: number, width: number, height: number, style: string, hint: string): string {
  return `<rect class="${style}" x="${n(x)}" y="${n(y)}" width="${n(Math.max(width, 1))}" height="${n(height)}"><title>${xml(hint)}</title></rect>`;
}

export function rule(x1: number, y1: number, x2: number, y2: number, style = 'rule'): string {
  return `<line class="${style}" x1="${n(x1)}" y1="${n(y1)}" x2="${n(x2)}" y2="${n(y2)}"/>`;
}

export function curve(points: readonly (readonly [number, number])[]): string {
  return `<polyline class="line" points="${points.map(([x, y]) => `${n(x)},${n(y)}`).join(' ')}"/>`;
}

const SHAPES = {
  inject: 'M0-5 5 4H-5Z',
  detect: 'M0-5 5 0 0 5-5 0Z',
  mitigate: 'M-4-4H4V4H-4Z',
  recover: 'M-5 0A5 5 0 1 0 5 0 5 5 0 1 0-5 0Z',
} as const;

export type MarkShape = keyof typeof SHAPES;

/** Triangle: injected. Diamond: detected. Square: mitigated. Circle: recovered. */
export function mark(x: number, y: number, shape: MarkShape, hint: string): string {
  return `<path class="${shape}" transform="translate(${n(x)} ${n(y)})" d="${SHAPES[shape]}"><title>${xml(hint)}</title></path>`;
}

/** Marks or swatches with their meaning, in one row. */
export function legend(
  x: number,
  y: number,
  entries: readonly (readonly [MarkShape | { swatch: string }, string])[],
): string {
  let at = x;
  return entries
    .map(([what, meaning]) => {
      const drawn =
        typeof what === 'string' ? mark(at + 5, y - 4, what, meaning) : bar(at, y - 9, 10, 10, what.swatch, meaning);
      const text = write(at + 15, y, meaning, 'dim');
      at += 30 + meaning.length * 6;
      return drawn + text;
    })
    .join('');
}

/** A coordinate: one decimal, never anything but a number. */
function n(value: number): string {
  return Number.isFinite(value) ? decimal(Math.min(Math.max(value, -1e6), 1e6), 1).replaceAll(',', '') : '0';
}
