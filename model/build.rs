//! Compiles the C++ shim for what tch lacks and links libtorch with an rpath, so that no
//! `LD_LIBRARY_PATH` is needed.
use std::path::Path;

fn main() {
    let lib = std::env::var("DEP_TCH_LIBTORCH_LIB").expect("torch-sys gives its library folder");
    let include = Path::new(&lib).join("../include");
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=shim/shim.cpp");
    cc::Build::new()
        .cpp(true)
        .std("c++17")
        .warnings(false)
        .opt_level(1)
        .include(&include)
        .include(include.join("torch/csrc/api/include"))
        .file("shim/shim.cpp")
        .compile("predilect_shim");
    println!("cargo:rustc-link-arg=-Wl,-rpath,{lib}");
    // Without it the linker drops libtorch.so, which is what pulls in CUDA on a GPU machine.
    println!("cargo:rustc-link-arg=-Wl,--no-as-needed");
    println!("cargo:rustc-link-arg=-ltorch");
}
