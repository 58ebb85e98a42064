/** What a bus token says, signed by the supervisor with HMAC-SHA-256: the broker knows who dials from this alone. */
export interface BusIdentity {
  principal: string;
  incarnation: number;
  /** Messages a second the principal may publish. */
  messagesPerSecond: number;
  /** A supervised kernel: the access rules of `kernels` hold for it beside its own. */
  kernel: boolean;
}

/** `<base64url(JSON)>.<base64url(HMAC)>` */
export type BusToken = string;
