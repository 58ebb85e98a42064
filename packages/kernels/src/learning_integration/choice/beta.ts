/** A Beta distribution over the chance that a playbook heals. Both above 0. */
export interface Beta {
  alpha: number;
  beta: number;
}

/** The middle 95 % lie between the two. */
export interface Interval {
  low: number;
  high: number;
}

export function mean({ alpha, beta }: Beta): number {
  return alpha / (alpha + beta);
}

export function interval(posterior: Beta): Interval {
  return { low: quantile(posterior, 0.025), high: quantile(posterior, 0.975) };
}

/** The x below which the share `p` lies. Bisection: the distribution function has no inverse in closed form. */
export function quantile(posterior: Beta, p: number): number {
  let low = 0;
  let high = 1;
  for (let i = 0; i < 50; i++) {
    const middle = (low + high) / 2;
    if (share(posterior, middle) < p) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/** The share of the distribution below `x`: the regularised incomplete beta function. */
export function share({ alpha, beta }: Beta, x: number): number {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  const front = Math.exp(
    logGamma(alpha + beta) - logGamma(alpha) - logGamma(beta) + alpha * Math.log(x) + beta * Math.log1p(-x),
  );
  // The fraction converges fast on the one side of the mean only; the other side is its mirror.
  return x < (alpha + 1) / (alpha + beta + 2)
    ? (front * fraction(alpha, beta, x)) / alpha
    : 1 - (front * fraction(beta, alpha, 1 - x)) / beta;
}

const TINY = 1e-300;

/** Continued fraction of the incomplete beta function (DLMF 8.17.22), by Lentz's method. */
function fraction(a: number, b: number, x: number): number {
  let c = 1;
  let d = 1 / apart(1 - ((a + b) * x) / (a + 1));
  let value = d;
  for (let m = 1; m <= 500; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / apart(1 + even * d);
    c = apart(1 + even / c);
    value *= d * c;
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / apart(1 + odd * d);
    c = apart(1 + odd / c);
    value *= d * c;
    if (Math.abs(d * c - 1) < 1e-12) break;
  }
  return value;
}

const apart = (value: number): number => (Math.abs(value) < TINY ? TINY : value);

/** Lanczos' approximation, g = 7, n = 9; relative error below 1e-13 for what is above 0. */
const LANCZOS = [
  0.9999999999998099, 676.5203681218851, -1259.1392167224028, 771.3234287776531, -176.6150291621406, 12.507343278686905,
  -0.13857109526572012, 9.984369578019572e-6, 1.5056327351493116e-7,
] as const;

function logGamma(x: number): number {
  if (x < 0.5) return Math.log(Math.PI / Math.sin(Math.PI * x)) - logGamma(1 - x);
  const z = x - 1;
  let sum: number = LANCZOS[0];
  for (let i = 1; i < LANCZOS.length; i++) sum += LANCZOS[i]! / (z + i);
  const t = z + 7.5;
  return 0.5 * Math.log(2 * Math.PI) + (z + 0.5) * Math.log(t) - t + Math.log(sum);
}
