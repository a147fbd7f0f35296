// SPDX-License-Identifier: Apache-2.0

/** @type {import('next').NextConfig} */
export default {
  output: 'standalone',
  outputFileTracingRoot: import.meta.dirname ?? new URL('.', import.meta.url).pathname,
  // No image is resized here: the native library for it stays out of the container.
  images: { unoptimized: true },
  outputFileTracingExcludes: { '*': ['node_modules/sharp/**', 'node_modules/@img/**', 'node_modules/typescript/**'] },
  eslint: { ignoreDuringBuilds: true },
  poweredByHeader: false,
};
