/**
 * Rules whose fix ruff documents as safe. The build for WebAssembly gives fixes without their applicability, so it is stated here; E711, E712,
 * F841 and the like are left out because their fix may change what the program does. Source: docs.astral.sh/ruff/rules, 0.17.
 */
export const SAFE_RULES: Readonly<Record<string, number>> = {
  E401: 0.9,
  E703: 0.95,
  E713: 0.95,
  E714: 0.95,
  F401: 0.9,
  F541: 0.95,
  F632: 0.9,
  I001: 0.85,
  W291: 0.9,
  W292: 0.95,
  W293: 0.9,
  W605: 0.9,
};
