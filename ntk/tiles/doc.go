// Package tiles computes kernel matrices that are too large for one call. They are computed tile by tile within a
// memory budget, and each tile is written to disk when it is done. Any number of processes on one or several machines
// can share the work, and a killed computation can be continued.
//
//	store, err := tiles.Create("kernels", tiles.Kernel{Arrays: []string{"nngp", "ntk"}, DType: tiles.Float32,
//		Rows: n, Cols: n, Symmetric: true, Tile: 1024, Identity: tiles.Identity(network, x, nil)})
//	err = tiles.Compute(ctx, store, tiles.Infinite[float32](network.Infinite(backend), x, nil), tiles.Options{})
//	…
//	store, err = tiles.Open("kernels")
//	array, err := store.Array("ntk")
//	theta, err := array.Tensor() // or Block, Dense, Sym
//	labels, err := store.Labels()
//	trained, err := ntk.Unhinged{Gamma: 1}.Train(theta, labels)
//
// A tile is computed by a function of two ranges of examples ([Func]). [Infinite] and [Empirical] return such functions
// for a network, and functions for other kernels can be used, too. [Prepare] creates the folder with tiles that fit
// into a memory budget. The command for all this is `unhinged kernel`.
//
// # Format
//
// A kernel's folder is a Zarr version 2 directory store (https://zarr-specs.readthedocs.io/en/latest/v2/v2.0.html):
//
//	.zgroup        {"zarr_format": 2}
//	.zattrs        what was computed and by what: [Kernel] as JSON
//	ntk/.zarray    shape [N1, N2], or [N1, N2, C, C] of a full empirical kernel; chunks = tiles; "<f4" or "<f8"
//	ntk/0.0 …      the tiles: chunk i.j (i.j.0.0 of a full kernel) is its numbers, little-endian, in C order
//	labels/        the classes of the rows' examples, [N1], "<i8", where they are known; labels2/ those of the columns
//	.sums/         SHA-256 of all of these, which Zarr does not look at
//
// A chunk at the right or lower edge also has the full size and ends with zeros, as Zarr requires. Zarr reads a missing
// chunk as NaN. Chunks are not compressed, so that they can be mapped into memory. In Python, zarr.open(folder)["ntk"]
// reads a kernel. The following function does the same with numpy alone:
//
//	import json, math, os, numpy as np
//	def read(folder):                      # such as "kernels/ntk"
//	    meta = json.load(open(os.path.join(folder, ".zarray")))
//	    shape, chunks = meta["shape"], meta["chunks"]
//	    out = np.full(shape, np.nan, meta["dtype"])
//	    for index in np.ndindex(*(math.ceil(n / c) for n, c in zip(shape, chunks))):
//	        file = os.path.join(folder, ".".join(map(str, index)))
//	        chunk = np.memmap(file, meta["dtype"], "r", shape=tuple(chunks))
//	        place = tuple(slice(i * c, (i + 1) * c) for i, c in zip(index, chunks))
//	        out[place] = chunk[tuple(slice(n) for n in out[place].shape)]
//	    return out
//
// # Damage
//
// Every file of a store has a SHA-256, in the format of sha256sum. Those of the small files are in .sums/index. That of
// each chunk is in a file of its own, such as .sums/ntk/0.0, together with that of the index. [Open] checks the small
// files, reading checks each chunk when it is first read, [Compute] checks the chunks that exist, and [Array.Verify]
// checks all. A damaged file is an error that names it: remove the file, and compute again. To check a folder without
// this package:
//
//	cd kernels && sha256sum --check --quiet .sums/index .sums/*/*
//
// # Interruption and workers
//
// A chunk is written after its checksum, under another name, synchronised to the disk and renamed: if a chunk exists,
// it is complete. Computing again therefore computes the missing chunks only. The folder itself appears with complete
// metadata or not at all. A folder of another kernel is refused: one in which a field of [Kernel], such as Identity, or
// the labels differ. The function [Identity] returns the identity for a network and examples.
//
// For a symmetric kernel the tiles on and above the diagonal are computed, and each one above the diagonal is also
// written transposed.
//
// Workers k = 1 … n that share the folder begin with their shares, the tiles t with t mod n = k−1, and then take what
// is left of the others'. A process claims a tile before it computes it, by a file in .claims with a heartbeat, which
// needs no locks: they are unreliable on shared file systems. If a worker is lost, its claim expires after a minute (at
// once on the same machine), and others compute its tiles. A process that was taken for lost writes nothing more; and a
// tile that is computed twice nevertheless is written twice with the same bytes.
//
// # Kernels that are never stored
//
// Theorem 8 needs only the sums of a kernel over the classes. [Stream] adds them up from tiles that it computes, or
// reads from a store, and throws away.
package tiles
