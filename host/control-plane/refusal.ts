/** A request that is refused, as HTTP and people read it. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly status: 400 | 401 | 403 | 404 | 409 | 410 | 413 | 429;
  /** Short and stable, for programs. */
  readonly code: string;

  constructor(status: Refusal['status'], code: string, sentence: string) {
    super(sentence);
    this.status = status;
    this.code = code;
  }
}
