/** Errors of the system, by number and in its own words. */

export const EPERM = 1;
export const ENOENT = 2;
export const EACCES = 13;
export const EBUSY = 16;
export const EEXIST = 17;
export const ENODEV = 19;
export const ENOTDIR = 20;
export const EISDIR = 21;
export const EINVAL = 22;
export const EFBIG = 27;
export const ENOSPC = 28;
export const EROFS = 30;
export const EILSEQ = 84;
export const EADDRINUSE = 98;
export const ECONNREFUSED = 111;
export const EDQUOT = 122;

export class SystemError extends Error {
  /** The number of errno(3), positive. */
  readonly errno: number;

  /** `sentence` says what could not be done; the system's reason is added. */
  constructor(sentence: string, errno: number) {
    super(`${sentence}: ${errorText(errno)}`);
    this.errno = errno;
  }
}

/** The system's words for an errno. */
export function errorText(this: void, errno: number): string {
  return native('xs_system_error_text').call(this, errno);
}
