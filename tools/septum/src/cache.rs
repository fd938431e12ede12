//! The cache: the one folder outside the tree that Septum writes to. It holds what `setup` has fetched.

use std::env;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// Why the cache cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// No variable says where it could be.
    #[error("no place for the cache: set SEPTUM_CACHE to a folder that may be written")]
    NoPlace,
    /// It cannot be made or locked.
    #[error("cache folder `{path}`: {source}\nhelp: set SEPTUM_CACHE to a folder that may be written")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// The cache's folder.
#[derive(Clone, Debug)]
pub struct Cache {
    folder: PathBuf,
}

/// Held while something is fetched, so that nobody else fetches; other processes wait.
#[derive(Debug)]
pub struct CacheLock {
    _file: File,
}

impl Cache {
    /// `$SEPTUM_CACHE`, else `septum` under `$XDG_CACHE_HOME`, else under `~/.cache`; made if it is missing.
    ///
    /// # Errors
    /// None of the variables is set, or the folder cannot be made.
    pub fn open() -> Result<Self, CacheError> {
        let under = |variable, tail: &str| folder_variable(variable).map(|base| base.join(tail));
        let folder = folder_variable("SEPTUM_CACHE")
            .or_else(|| under("XDG_CACHE_HOME", "septum"))
            .or_else(|| under("HOME", ".cache/septum"))
            .ok_or(CacheError::NoPlace)?;
        fs::create_dir_all(&folder).map_err(|source| CacheError::Io { path: folder.clone(), source })?;
        Ok(Self { folder })
    }

    /// The path of `name` in the cache, whether it is there or not.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Waits until nobody else fetches.
    ///
    /// # Errors
    /// The lock file cannot be made.
    pub fn lock(&self) -> Result<CacheLock, CacheError> {
        let path = self.path("lock");
        let locked = File::create(&path).and_then(|file| file.lock().map(|()| file));
        locked.map(|file| CacheLock { _file: file }).map_err(|source| CacheError::Io { path, source })
    }

    /// An empty folder in the cache, for work that is renamed into place when it is done. What an interrupted earlier
    /// run left there is removed; hold the lock.
    ///
    /// # Errors
    /// The folder cannot be emptied or made.
    pub fn scratch(&self, name: &str) -> Result<PathBuf, CacheError> {
        let path = self.path(name);
        let made = remove(&path).and_then(|()| fs::create_dir_all(&path));
        made.map(|()| path.clone()).map_err(|source| CacheError::Io { path, source })
    }
}

/// Removes a folder with all that is in it; none is fine.
///
/// # Errors
/// The system refuses.
pub fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn folder_variable(name: &str) -> Option<PathBuf> {
    env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}
