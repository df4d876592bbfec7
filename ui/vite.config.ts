import { defineConfig } from 'vite';

/** `base: './'` keeps every address relative: the page works behind a proxy's prefix, and needs no other host. */
export default defineConfig({
  base: './',
  // A build is for production whatever NODE_ENV says: a test runner sets its own.
  mode: 'production',
  define: { 'process.env.NODE_ENV': '"production"' },
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact', development: false } },
  build: {
    target: 'es2023',
    // light-dark() and nesting as written: lowering them would double the sheet.
    cssTarget: ['chrome123', 'firefox120', 'safari17.5'],
    // Assets stay files: a data: URI would need a wider content security policy.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
});
