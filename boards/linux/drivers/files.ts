/** Files, synchronously: small ones, at start and when state is kept. Results below zero are negative errnos. */

/** The file's text, or a negative errno: `EILSEQ` when it is not UTF-8, `EFBIG` when it has more than `limit` bytes. */
export function readText(this: void, path: string, limit: number): string | number {
  return native('xs_files_read_text').call(this, path, limit);
}

export function readFile(this: void, path: string, limit: number): ArrayBuffer | number {
  return native('xs_files_read').call(this, path, limit);
}

/** Permission bits of a regular file, -1 for anything else that exists, a negative errno (below -1) or -1 if not. */
export function fileMode(this: void, path: string): number {
  return native('xs_files_mode').call(this, path);
}

/** Replaces `directory/name` atomically; the new content is on disk when this returns. */
export function replaceFile(this: void, directory: string, name: string, bytes: Uint8Array): number {
  return native('xs_files_replace').call(this, directory, name, bytes);
}

/** As `replaceFile`, in UTF-8. */
export function replaceText(this: void, directory: string, name: string, text: string): number {
  return native('xs_files_replace_text').call(this, directory, name, text);
}

export function removeFile(this: void, directory: string, name: string): number {
  return native('xs_files_remove').call(this, directory, name);
}

/** One directory; one that exists is no failure. */
export function makeDirectory(this: void, path: string, mode: number): number {
  return native('xs_files_make_directory').call(this, path, mode);
}

/** Into an existing file, as those of /proc. */
export function writeText(this: void, path: string, text: string): number {
  return native('xs_files_write_text').call(this, path, text);
}

export function exists(this: void, path: string): boolean {
  return native('xs_files_exists').call(this, path);
}

/** What a symbolic link holds, or a negative errno. */
export function readLink(this: void, path: string): string | number {
  return native('xs_files_read_link').call(this, path);
}
