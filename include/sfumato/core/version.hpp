#pragma once

/// The version of sfumato: <https://semver.org>; before 1.0.0 a minor version may change names.
#define SFUMATO_VERSION_MAJOR 0
#define SFUMATO_VERSION_MINOR 2
#define SFUMATO_VERSION_PATCH 0
#define SFUMATO_VERSION "0.2.0"
