/** Whether the keyboard is one of Apple's, whose keys have other names. */
export const APPLE = /Mac|iP(hone|ad)/.test(globalThis.navigator?.userAgent ?? "");
