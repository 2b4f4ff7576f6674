/** The parts of DOMPurify that this page uses; the library sets a global. */
export {};
declare global {
  var DOMPurify: {
    sanitize(html: string, config: Record<string, unknown> & { RETURN_DOM_FRAGMENT: true }): DocumentFragment;
    addHook(point: "afterSanitizeAttributes", hook: (element: Element) => void): void;
  };
}
