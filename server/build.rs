//! Link arguments do not pass from a library to the program that uses it, so the
//! program repeats where libtorch lies.
fn main() {
    let lib = std::env::var("DEP_TCH_LIBTORCH_LIB").expect("torch-sys gives its library folder");
    println!("cargo:rerun-if-changed=build.rs");
    // Migrations are embedded; the compiler does not see when one is added.
    println!("cargo:rerun-if-changed=../migrations");
    println!("cargo:rustc-link-arg=-Wl,-rpath,{lib}");
    // Without it the linker drops libtorch.so, which is what pulls in CUDA on a GPU machine.
    println!("cargo:rustc-link-arg=-Wl,--no-as-needed");
    println!("cargo:rustc-link-arg=-ltorch");
}
