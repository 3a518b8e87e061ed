/**
 * The little of Moddable's own vocabulary that the boards use, for the checkers that run without the SDK. mcconfig
 * brings the SDK's declarations instead and does not see this file.
 */

/** The C function of this name, called with `.call(this, ...)`. */
// biome-ignore lint/suspicious/noExplicitAny: whatever the C function takes and gives
declare function native(name: string): (...args: any[]) => any;
/** A class whose instances carry C data; `name` is the C function that frees it. */
declare function Native(name: string): new () => object;
