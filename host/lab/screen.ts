import type { WriteStream } from 'node:tty';

/** Lines at the bottom of a terminal that are drawn again in place; what was printed above them stays. */
export class Screen {
  private readonly out: WriteStream;
  private drawn = 0;

  constructor(out: WriteStream) {
    this.out = out;
    this.out.write('\x1b[?25l');
    this.out.on('resize', this.forget);
  }

  get width(): number {
    return this.out.columns ?? 80;
  }

  /** Replaces what was drawn before. Lines wider than the terminal would break the picture: cut them first. */
  draw(lines: readonly string[]): void {
    // The last row stays free, so that the terminal does not scroll.
    const fitting = lines.slice(0, Math.max(1, (this.out.rows ?? 24) - 1));
    const back = this.drawn > 0 ? `\x1b[${this.drawn}A` : '';
    this.out.write(`${back}\r\x1b[J${fitting.join('\n')}\n`);
    this.drawn = fitting.length;
  }

  /** Leaves the last picture and gives the cursor back. */
  close(): void {
    this.out.off('resize', this.forget);
    this.out.write('\x1b[?25h');
  }

  /** A resized terminal has wrapped the old lines anew; nobody knows how many there are now. */
  private readonly forget = (): void => {
    this.out.write('\x1b[2J\x1b[H');
    this.drawn = 0;
  };
}
