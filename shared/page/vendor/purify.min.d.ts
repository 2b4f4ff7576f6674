/** The parts of DOMPurify that this page uses; the library sets a global. */
export {};
declare global {
  var DOMPurify: {
    sanitize(html: string, config: Record<string, unknown> & { RETURN_DOM_FRAGMENT: true }): DocumentFragment;
    sanitize(node: Element, config: Record<string, unknown> & { IN_PLACE: true }): Element;
    addHook(point: "afterSanitizeAttributes", hook: (element: Element) => void): void;
  };
}
