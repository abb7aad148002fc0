// Package tiles computes kernel matrices that are too large for one call: tile by tile within a memory budget, each
// written to disk when it is done, by any number of processes on one or several machines, resumable after a kill.
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
// What computes a tile is a function of two ranges of examples ([Func]): [Infinite] and [Empirical] make one of a
// network, and any other kernel fits too. [Prepare] makes the folder with tiles that fit into a memory budget.
// `unhinged kernel` is the command for all this.
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
// A chunk at the right or lower edge has the full size too and ends with zeros, as Zarr demands. One that is missing
// reads as NaN in Zarr. Chunks are not compressed, so that they can be mapped into memory. zarr.open(folder)["ntk"]
// reads a kernel in Python; so does, with numpy alone,
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
// Every file of a store has a SHA-256, in the format of sha256sum: those of the small files are in .sums/index, that of
// each chunk is in a file of its own, .sums/ntk/0.0, together with that of the index. [Open] compares the small files
// and reading compares each chunk when it is first read, [Compute] those that it would not compute again, and
// [Array.Verify] all. What is damaged is an error that names the file; remove it, and compute again. Without this
// package a folder is checked by
//
//	cd kernels && sha256sum --check --quiet .sums/index .sums/*/*
//
// # Interruption and workers
//
// A chunk is written under another name, synchronised to the disk and renamed, after its checksum: that it exists means
// that it is done. Computing again therefore computes what is missing. The folder itself appears complete with its
// metadata or not at all, and is refused if it is of another kernel: if what [Kernel] has, Identity included, or the
// labels differ. [Identity] makes one of a network and the examples.
//
// Of a symmetric kernel the tiles on and above the diagonal are computed, and each is written transposed too.
//
// Workers k = 1 … n that share the folder take the tiles t with t mod n = k−1, so they need no locks, which shared file
// systems are bad at. What a lost worker leaves is done by starting it again, or by a process without a range.
// Processes with overlapping ranges do no harm: a tile that another one finished meanwhile is skipped, one computed
// twice is written twice with the same bytes.
package tiles
