/** In manifests and --version; package.json says the same. */
export const SPILLWAY_VERSION = '0.1.0';
