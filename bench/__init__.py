"""The benchmarks (`make bench`): what a streamed answer costs here and in the alternatives. They write docs/performance.md.

Never deployed (`.funcignore`), and imported by nothing that is (an import contract).
"""
