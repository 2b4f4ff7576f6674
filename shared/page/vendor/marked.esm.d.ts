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
export interface Extension {
  name: string;
  level: "block" | "inline";
  /** Return where such a token may begin. */
  start(source: string): number | undefined;
  tokenizer(source: string, tokens: Token[]): (Token & Record<string, unknown>) | undefined;
  renderer(token: { raw: string; isDisplay?: boolean }): string;
}
export class Tokenizer {
  emStrong(source: string, masked: string, before: string): Token | undefined;
}
export class Marked {
  constructor(options: {
    gfm?: boolean;
    breaks?: boolean;
    extensions?: Extension[];
    renderer?: RendererOverrides;
    /** A result of `false` means the library's own, undefined that there is no such token. */
    tokenizer?: {
      del?(source: string): false | undefined;
      emStrong?(this: Tokenizer, source: string, masked: string, before: string): Token | undefined;
    };
  });
  lexer(source: string): TokensList;
  parser(tokens: Token[]): string;
}
