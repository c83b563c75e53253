// The packages of JupyterLab and Lumino are modules, which jest does not read itself.
module.exports = {
  testEnvironment: 'jsdom',
  modulePathIgnorePatterns: ['<rootDir>/dist'],
  setupFiles: ['./test/setup.cjs'],
  transform: { '\\.[jt]s$': '@swc/jest' },
  transformIgnorePatterns: ['/node_modules/(?!@jupyter|@lumino|lib0|y-protocols|yjs)']
};
