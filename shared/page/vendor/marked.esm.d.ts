/** The parts of marked that this page uses. */
export interface Token {
  type: string;
  raw: string;
}
export interface TokensList extends Array<Token> {
  links: Record<string, unknown>;
}
export interface Renderer {
  parser: { parse(tokens: Token[]): string; parseInline(tokens: Token[]): string };
}
export interface RendererOverrides {
  heading?(this: Renderer, token: { tokens: Token[]; depth: number }): string;
  code?(this: Renderer, token: { text: string; lang?: string }): string;
  html?(this: Renderer, token: { text: string; block?: boolean }): string;
  text?(this: Renderer, token: { text: string; tokens?: Token[] }): string;
  image?(this: Renderer, token: { href: string; text: string }): string;
  checkbox?(this: Renderer, token: { checked: boolean }): string;
}
export class Marked {
  constructor(options: { gfm?: boolean; breaks?: boolean; renderer?: RendererOverrides });
  lexer(source: string): TokensList;
  parser(tokens: Token[]): string;
}
