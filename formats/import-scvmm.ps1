<#
.SYNOPSIS
Brings the disks beside this script into the library of a System Center Virtual
Machine Manager, with a template of the machine around them.

.DESCRIPTION
Written by v2v. Run it where the console of the manager is installed. Copies the
disks to a library share, makes a hardware profile and a template, and with
-VMHost deploys one machine from it. A second run finds the template and changes
nothing. When a step fails what was made is removed; copied disks are kept.

.PARAMETER VMMServer
The management server.

.PARAMETER LibraryShare
A folder of a library share: \\server\share\folder.

.PARAMETER Name
Name of the template. Default: the name the machine had.

.PARAMETER VhdPath
Folder that holds the disks. Default: the folder of this script.

.PARAMETER OperatingSystem
Name of an operating system as Get-SCOperatingSystem lists it.

.PARAMETER VMNetworkMap
VM network by network of the source: @{ 'VM Network' = 'Production' }.

.PARAMETER VMHost
Deploy a machine to this host.

.PARAMETER Path
Folder on that host.

.PARAMETER AllowUnencryptedTransfer
Copy without encryption.

.PARAMETER Force
Overwrite disks of the same name in the library.

.EXAMPLE
Import-NAME-SCVMM.ps1 -VMMServer vmm01 -LibraryShare \\vmm01\Library\VHDs -WhatIf
#>
[CmdletBinding(SupportsShouldProcess = $true, ConfirmImpact = 'Medium')]
param(
    [string] $VMMServer = 'localhost',
    [string] $LibraryShare = '',
    [string] $Name = '',
    [string] $VhdPath = '',
    [string] $OperatingSystem = '',
    [hashtable] $VMNetworkMap = @{},
    [string] $VMHost = '',
    [string] $Path = '',
    [switch] $AllowUnencryptedTransfer,
    [switch] $Force
)
Set-StrictMode -Version 2
$ErrorActionPreference = 'Stop'

# All that is known of the machine. Below it is code that is the same in every
# script of this kind.
# @DATA@

$marker = 'v2v-id: {0}' -f $data.Id
if ($Name -eq '') { $Name = $data.Name }
if ($VhdPath -eq '') { $VhdPath = $PSScriptRoot }

function Get-NetworkOf {
    param($nic)
    if ($VMNetworkMap.ContainsKey($nic.Network)) { return [string] $VMNetworkMap[$nic.Network] }
    return ''
}

# ---- checks: each writes a sentence for what is wrong ----

function Test-Disk {
    param($disk)
    $full = Join-Path -Path $VhdPath -ChildPath $disk.File
    if (-not (Test-Path -LiteralPath $full -PathType Leaf)) {
        Write-Output -InputObject ('{0}: the disk is missing.' -f $full)
        return
    }
    $attributes = (Get-Item -LiteralPath $full -Force).Attributes
    if (($attributes -band [IO.FileAttributes]::SparseFile) -ne 0) {
        Write-Output -InputObject ('{0}: is a sparse file, which Hyper-V refuses. Run: fsutil sparse setflag {0} 0' -f $full)
    }
}

function Test-Everything {
    param($server)
    if (-not (Test-Path -LiteralPath $LibraryShare -PathType Container)) {
        Write-Output -InputObject ('{0}: the library share cannot be reached.' -f $LibraryShare)
    }
    foreach ($disk in $data.Disks) {
        Test-Disk $disk
        if (@($disk.Parents).Count -gt 0) {
            Write-Output -InputObject ('{0}: is a differencing disk ({1} is its parent), which this script does not bring into a library. Use the other script, or convert without --keep-chain.' -f $disk.File, @($disk.Parents)[0])
        }
    }
    $known = @(VirtualMachineManager\Get-SCVMNetwork -VMMServer $server | ForEach-Object { $_.Name })
    foreach ($nic in $data.Nics) {
        $network = Get-NetworkOf $nic
        if (($network -ne '') -and ($known -notcontains $network)) {
            Write-Output -InputObject ('{0}: there is no VM network {1}.' -f $nic.Name, $network)
        }
    }
    if ($OperatingSystem -ne '') {
        $found = @(VirtualMachineManager\Get-SCOperatingSystem -VMMServer $server | Where-Object { $_.Name -eq $OperatingSystem })
        if ($found.Count -eq 0) {
            Write-Output -InputObject ('There is no operating system {0} in the manager.' -f $OperatingSystem)
        }
    }
    if ($VMHost -ne '') {
        $found = @(VirtualMachineManager\Get-SCVMHost -VMMServer $server | Where-Object { ($_.Name -eq $VMHost) -or ($_.ComputerName -eq $VMHost) })
        if ($found.Count -eq 0) {
            Write-Output -InputObject ('There is no host {0} in the manager.' -f $VMHost)
        }
    }
}

# ---- steps ----

# The disk in the library, as the manager knows it. No family and no release:
# disks that share both are taken for equivalent, one in place of another.
function Import-Disk {
    param($server, $disk)
    $arguments = @{
        VMMServer = $server
        SourcePath = (Join-Path -Path $VhdPath -ChildPath $disk.File)
        SharePath = $LibraryShare
    }
    if ($Force) { $arguments['OverwriteExistingFiles'] = $true }
    if ($AllowUnencryptedTransfer) { $arguments['AllowUnencryptedTransfer'] = $true }
    $null = VirtualMachineManager\Import-SCLibraryPhysicalResource @arguments
    $target = Join-Path -Path $LibraryShare -ChildPath $disk.File
    $found = VirtualMachineManager\Get-SCVirtualHardDisk -VMMServer $server | Where-Object { $_.SharePath -eq $target } | Select-Object -First 1
    if ($null -eq $found) {
        throw ('{0}: was copied, but the library does not list it yet. Refresh the share and run this again.' -f $target)
    }
    $arguments = @{
        VirtualHardDisk = $found
        VirtualizationPlatform = 'HyperV'
    }
    if ($OperatingSystem -ne '') { $arguments['OperatingSystem'] = Get-System $server }
    return (VirtualMachineManager\Set-SCVirtualHardDisk @arguments)
}

function Get-System {
    param($server)
    return (VirtualMachineManager\Get-SCOperatingSystem -VMMServer $server | Where-Object { $_.Name -eq $OperatingSystem } | Select-Object -First 1)
}

# Controllers, drives and adapters wait in the job group until the hardware
# profile is made.
function New-Devices {
    param($server, $group)
    for ($i = 0; $i -lt $data.ScsiControllers; $i += 1) {
        $null = VirtualMachineManager\New-SCVirtualScsiAdapter -VMMServer $server -JobGroup $group -AdapterID $i -ShareVirtualScsiAdapter $false
    }
    foreach ($dvd in $data.Dvds) {
        $null = VirtualMachineManager\New-SCVirtualDVDDrive -VMMServer $server -JobGroup $group -Bus $dvd.Controller -LUN $dvd.Location
    }
    foreach ($nic in $data.Nics) {
        $arguments = @{ VMMServer = $server; JobGroup = $group }
        if ($nic.Legacy) { $arguments['Emulated'] = $true }
        else { $arguments['Synthetic'] = $true }
        if ($nic.Mac -ne '') {
            $arguments['MACAddressType'] = 'Static'
            $arguments['MACAddress'] = $nic.MacWithColons
        }
        else { $arguments['MACAddressType'] = 'Dynamic' }
        if ($nic.VlanMode -eq 'Access') {
            $arguments['VLanEnabled'] = $true
            $arguments['VLanID'] = $nic.Vlan
        }
        $network = Get-NetworkOf $nic
        if ($network -ne '') {
            $arguments['VMNetwork'] = VirtualMachineManager\Get-SCVMNetwork -VMMServer $server | Where-Object { $_.Name -eq $network } | Select-Object -First 1
        }
        elseif ($nic.Switch -ne '') {
            Write-Warning -Message ('{0} (network {1}) is not connected: switch {2} is one of a host. Use -VMNetworkMap.' -f $nic.Name, $nic.Network, $nic.Switch)
        }
        else {
            Write-Warning -Message ('{0} (network {1}) is not connected. Use -VMNetworkMap.' -f $nic.Name, $nic.Network)
        }
        $null = VirtualMachineManager\New-SCVirtualNetworkAdapter @arguments
    }
}

function New-Profile {
    param($server, $group, $title)
    $arguments = @{
        VMMServer = $server
        Name = $title
        Description = $marker
        Generation = $data.Generation
        CPUCount = $data.Processors.Number
        CPULimitForMigration = $data.Processors.Migration
        MemoryMB = $data.Memory.StartupMB
        DynamicMemoryEnabled = $data.Memory.Dynamic
        JobGroup = $group
    }
    if ($data.Memory.Dynamic) {
        $arguments['DynamicMemoryMinimumMB'] = $data.Memory.MinimumMB
        $arguments['DynamicMemoryMaximumMB'] = $data.Memory.MaximumMB
    }
    if ($data.Processors.Weight -ne 0) { $arguments['CPURelativeWeight'] = $data.Processors.Weight }
    if ($data.Generation -eq 1) {
        $arguments['CPULimitFunctionality'] = $data.Processors.OlderSystems
        $arguments['BootOrder'] = $data.ScvmmBootOrder
    }
    else {
        $arguments['SecureBootEnabled'] = $data.SecureBoot.Enabled
        if ($data.SecureBoot.Enabled) { $arguments['SecureBootTemplate'] = $data.SecureBoot.Template }
    }
    return (VirtualMachineManager\New-SCHardwareProfile @arguments)
}

function Add-Disks {
    param($server, $group, $disks)
    $i = 0
    foreach ($disk in $data.Disks) {
        $arguments = @{
            VMMServer = $server
            JobGroup = $group
            Bus = $disk.Controller
            LUN = $disk.Location
            VirtualHardDisk = $disks[$i]
        }
        if ($disk.Bus -eq 'IDE') { $arguments['IDE'] = $true }
        else { $arguments['SCSI'] = $true }
        if ($disk.Boot) {
            $arguments['BootVolume'] = $true
            $arguments['VolumeType'] = 'BootAndSystem'
        }
        $null = VirtualMachineManager\New-SCVirtualDiskDrive @arguments
        $i += 1
    }
}

# What New-NAME.ps1 sets and a template made here does not carry, each with the
# command that sets it on the machine that is deployed.
function Show-Left {
    foreach ($nic in $data.Nics) {
        if ($nic.VlanMode -eq 'Trunk') {
            Write-Warning -Message ('{0}: the VLAN trunk is not set. Use Set-VMNetworkAdapterVlan -Trunk.' -f $nic.Name)
        }
        if ($nic.Spoofing) {
            Write-Warning -Message ('{0}: MAC address spoofing is not allowed. Use Set-VMNetworkAdapter -MacAddressSpoofing On.' -f $nic.Name)
        }
    }
    foreach ($dvd in $data.Dvds) {
        if ($dvd.File -ne '') {
            Write-Warning -Message ('{0} is not in the CD drive. Import it into the library and use Set-SCVirtualDVDDrive -ISO.' -f $dvd.File)
        }
    }
    if ($data.Processors.Nested) {
        Write-Warning -Message 'Nested virtualization is not set. Use Set-VMProcessor -ExposeVirtualizationExtensions $true.'
    }
    foreach ($com in $data.ComPorts) {
        Write-Warning -Message ('COM {0} is not connected. Use Set-VMComPort with the pipe {1}.' -f $com.Number, $com.Pipe)
    }
    Write-Warning -Message ('The automatic start action is not set. Use Set-VM -AutomaticStartAction {0} -AutomaticStartDelay {1}.' -f $data.StartAction, $data.StartDelay)
    Write-Warning -Message ('The automatic stop action is not set. Use Set-VM -AutomaticStopAction {0}.' -f $data.StopAction)
    Write-Warning -Message ('The checkpoint type is not set. Use Set-VM -CheckpointType {0}.' -f $data.CheckpointType)
    if (-not $data.TimeSync) {
        Write-Warning -Message 'Time synchronization is not switched off. Use Disable-VMIntegrationService.'
    }
    if ($data.Tpm) {
        Write-Warning -Message 'The machine had a TPM: enable it on the machine that is deployed (Enable-VMTPM).'
    }
}

# ---- all of it ----

if ($LibraryShare -eq '') {
    throw 'Name a folder of a library share with -LibraryShare.'
}
if (-not (Get-Module -ListAvailable -Name 'VirtualMachineManager')) {
    throw 'The VirtualMachineManager module is missing: install the console of the manager.'
}
Import-Module -Name 'VirtualMachineManager'
$server = VirtualMachineManager\Get-SCVMMServer -ComputerName $VMMServer

$all = @(VirtualMachineManager\Get-SCVMTemplate -VMMServer $server)
$mine = @($all | Where-Object { ($null -ne $_.Description) -and $_.Description.Contains($marker) })
if ($mine.Count -gt 0) {
    Write-Warning -Message ('The template {0} was made by this script before. Nothing is changed.' -f $mine[0].Name)
    return $mine[0]
}
if (@($all | Where-Object { $_.Name -eq $Name }).Count -gt 0) {
    throw ('There is a template named {0}. Use -Name for another name.' -f $Name)
}
$problems = @(Test-Everything $server)
if ($problems.Count -gt 0) {
    throw ('{0} cannot be imported: {1}' -f $Name, ($problems -join ' '))
}
if (-not $PSCmdlet.ShouldProcess($Name, 'Import into the library and create a template')) { return }

$hardware = $null
$template = $null
try {
    $disks = @()
    foreach ($disk in $data.Disks) { $disks += Import-Disk $server $disk }
    $group = [Guid]::NewGuid().ToString()
    New-Devices $server $group
    $hardware = New-Profile $server $group ('{0} {1}' -f $data.FolderName, $data.Id)
    $group = [Guid]::NewGuid().ToString()
    Add-Disks $server $group $disks
    $arguments = @{
        VMMServer = $server
        Name = $Name
        Description = $marker
        Generation = $data.Generation
        HardwareProfile = $hardware
        NoCustomization = $true
        JobGroup = $group
    }
    if ($OperatingSystem -ne '') { $arguments['OperatingSystem'] = Get-System $server }
    $template = VirtualMachineManager\New-SCVMTemplate @arguments
}
catch {
    Write-Warning -Message 'A step failed: the template and the profile are removed, copied disks are kept.'
    if ($null -ne $template) { $null = VirtualMachineManager\Remove-SCVMTemplate -VMTemplate $template -ErrorAction Continue }
    if ($null -ne $hardware) { $null = VirtualMachineManager\Remove-SCHardwareProfile -HardwareProfile $hardware -ErrorAction Continue }
    throw
}
Show-Left
if ($VMHost -eq '') { return $template }
$hosts = @(VirtualMachineManager\Get-SCVMHost -VMMServer $server | Where-Object { ($_.Name -eq $VMHost) -or ($_.ComputerName -eq $VMHost) })
$arguments = @{ VMMServer = $server; Name = $Name; VMTemplate = $template; VMHost = $hosts[0] }
if ($Path -ne '') { $arguments['Path'] = $Path }
return (VirtualMachineManager\New-SCVirtualMachine @arguments)
