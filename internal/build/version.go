package build

// Version is the version of this project. CHANGELOG.md and CITATION.cff give the same one, which a test checks.
const Version = "0.1.0"
