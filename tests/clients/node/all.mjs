// Runs the clients that are named on the command line, in one process.
for (const name of process.argv.slice(2)) await import(`./${name}.mjs`);
