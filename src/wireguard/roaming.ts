/**
 * What takes the place of plain roaming (paper, section 2.1) for a peer that can be reached in several ways: its path
 * hears where authenticated messages come from, and decides alone where the next ones go.
 */
export interface Roaming {
  /** An authenticated, new message came from this record. Not once per message where several came together. */
  received(endpoints: Uint8Array, at: number): void;
  /** The owner, or a look-up of the peer's name, said where it is. */
  configured(endpoints: Uint8Array, at: number): void;
  /** The peer answered probe `id`; the answer came from this record. */
  answered(id: number, endpoints: Uint8Array, at: number): void;
}
