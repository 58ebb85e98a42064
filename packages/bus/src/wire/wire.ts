/** One connection between a client and the broker; frames arrive whole and in order. */
export interface Wire<In, Out> {
  readonly kind: 'port' | 'socket';
  /** Starts receiving. `onClose` is called once, also when this side closes. */
  open(handlers: WireHandlers<In>): void;
  /** `moves`: buffers in the frame that the sender gives away; where the wire can, they are moved and not copied. */
  send(frame: Out, moves?: readonly ArrayBuffer[]): void;
  /** Holds back what the other side sends, where the wire can. */
  pause(): void;
  resume(): void;
  /** Ends the wire after what was sent. */
  close(): void;
}

export interface WireHandlers<In> {
  onFrame: (frame: In) => void;
  onClose: () => void;
}
