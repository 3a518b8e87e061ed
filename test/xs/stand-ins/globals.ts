/** Globals that libraries of the tests look for when they are loaded. There are no timers: whoever needs one fails. */

const world = globalThis as Record<string, unknown>;

world.setTimeout ??= () => {
  throw new Error('this engine has no timers');
};
world.clearTimeout ??= () => {};
