/** What `wake` is told of a descriptor: the bits of poll(2), which GLib's GIOCondition repeats. */
export const WATCH_READABLE = 1;
export const WATCH_WRITABLE = 4;
/** Error or hang-up. */
export const WATCH_BROKEN = 8 | 16;
