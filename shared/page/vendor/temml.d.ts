/** The part of Temml that this page uses. */
declare const temml: {
  /** Render into the element, with elements and text only: no HTML is parsed. */
  render(
    formula: string,
    element: Element,
    options: { displayMode: boolean; throwOnError: true; trust: false; maxSize: [number, number]; maxExpand: number },
  ): void;
};
export default temml;
