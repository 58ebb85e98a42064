/** Figures of one repetition: id -> the floor and Grace's value, in the figure's unit. */
export type Sample = Record<string, { floor: number; value: number }>;
