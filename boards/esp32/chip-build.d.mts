export declare const CHIPS: readonly string[];

export declare function idfShortcomings(): string[];

export interface ChipOptions {
  readonly name: string;
  readonly root: string;
  readonly output: string;
  readonly environment: Record<string, string | undefined>;
}

export interface LinkedChip {
  readonly code: number;
  readonly text: string;
  readonly warnings: readonly string[];
  /** Path of mc.xs.c. */
  readonly linked: string;
  readonly folder: string;
  /** What the stand-in for idf.py was called with. */
  readonly calls: string;
}

export declare function linkChip(options: ChipOptions & { readonly quiet?: boolean }): Promise<LinkedChip>;
export declare function buildChip(options: ChipOptions & { readonly debug: boolean }): Promise<number>;
